// Frames of AXI4-Stream for a design that counts its values. A frame that is shorter or longer than an
// image is dropped as a whole: its values up to the wrong end reach the design, which must then begin again.
module sc_frames #(
    parameter N_IN = 64,
    parameter COUNT = 6                      // bits of the number of a value
) (
    input wire clk,
    input wire rst,
    input wire s_valid,
    output wire s_ready,
    input wire s_last,
    output wire in_valid,
    input wire in_ready,                     // low while frame_error is 1
    output reg frame_error                   // for one clock cycle: a frame is dropped
);
    localparam integer LAST = N_IN - 1;
    reg [COUNT-1:0] at;                      // number of the next value
    reg dropping;                            // until the end of a frame that is too long
    wire at_last = at == LAST[COUNT-1:0];
    wire fits = s_last == at_last;
    wire taken = s_valid && s_ready;

    assign s_ready = in_ready;               // low in a reset, and high while a frame is dropped
    assign in_valid = s_valid && !dropping && fits;

    always @(posedge clk)
        if (rst) begin
            at <= {COUNT{1'b0}};
            dropping <= 1'b0;
            frame_error <= 1'b0;
        end else begin
            frame_error <= taken && !dropping && !fits;
            if (taken && (dropping || !fits)) begin
                at <= {COUNT{1'b0}};
                dropping <= !s_last;
            end else if (taken)
                at <= at_last ? {COUNT{1'b0}} : at + 1'b1;
        end
endmodule
