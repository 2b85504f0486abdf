// Rules of the interface of a design, as assertions for simulation and formal verification.
module sc_rules #(
    parameter N_IN = 64,
    parameter IMAGES = 1,                    // that the design holds until a class is read
    parameter COUNT = 6,                     // bits of the number of a value
    parameter CLASS = 4
) (
    input wire clk,
    input wire rst,
    input wire drop,
    input wire in_valid,
    input wire in_ready,
    input wire out_valid,
    input wire out_ready,
    input wire [CLASS-1:0] out_class
);
    localparam integer LAST = N_IN - 1;
    reg started = 1'b0;                      // the rules hold from the first reset on
    reg waiting = 1'b0;                      // a class was offered and not read
    reg [COUNT-1:0] values = {COUNT{1'b0}};  // of the image that is read
    reg [1:0] images = 2'd0;                 // that are whole and have no class
    reg [CLASS-1:0] offered = {CLASS{1'b0}};
    wire take = in_valid && in_ready;
    wire whole = take && values == LAST[COUNT-1:0];
    always @(posedge clk) begin
        if (rst) in_ready_low_in_reset: assert (!in_ready);
        if (started && !rst) begin
            if (out_valid) class_after_the_whole_image: assert (images != 2'd0);
            if (images == IMAGES[1:0]) nothing_taken_while_busy: assert (!in_ready);
            if (drop) nothing_taken_while_dropped: assert (!in_ready);
            if (waiting) class_kept_until_read: assert (out_valid && out_class == offered);
        end
        started <= started || rst;
        waiting <= !rst && out_valid && !out_ready;
        offered <= out_class;
        if (rst || drop || whole) values <= {COUNT{1'b0}};
        else if (take) values <= values + 1'b1;
        images <= rst ? 2'd0 : images + {1'b0, whole} - {1'b0, out_valid && out_ready};
    end
endmodule
