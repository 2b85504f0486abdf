// Rules of the interface of a design, as assertions for simulation and formal verification.
module sc_rules #(
    parameter N_IN = 64,
    parameter IMAGES = 1,                    // that the design holds until a class is read
    parameter COUNT = 7,                     // bits of IMAGES * N_IN
    parameter CLASS = 4
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire in_ready,
    input wire out_valid,
    input wire out_ready,
    input wire [CLASS-1:0] out_class
);
    localparam integer MOST = IMAGES * N_IN;
    reg started = 1'b0;                      // the rules hold from the first reset on
    reg waiting = 1'b0;                      // a class was offered and not read
    reg [COUNT-1:0] taken = {COUNT{1'b0}};   // values of images without a class
    reg [CLASS-1:0] offered = {CLASS{1'b0}};
    always @(posedge clk) begin
        if (rst) in_ready_low_in_reset: assert (!in_ready);
        if (started && !rst) begin
            if (out_valid) class_after_the_whole_image: assert (taken >= N_IN[COUNT-1:0]);
            if (taken == MOST[COUNT-1:0]) nothing_taken_while_busy: assert (!in_ready);
            if (waiting) class_kept_until_read: assert (out_valid && out_class == offered);
        end
        started <= started || rst;
        waiting <= !rst && out_valid && !out_ready;
        offered <= out_class;
        if (rst) taken <= {COUNT{1'b0}};
        else taken <= taken + {{(COUNT-1){1'b0}}, in_valid && in_ready}
            - ((out_valid && out_ready) ? N_IN[COUNT-1:0] : {COUNT{1'b0}});
    end
endmodule
