// Numbers for the comparators of a stage: M t ^ SHIFT over GF(2), where t counts time steps. A
// row-reversed identity matrix M reverses the bits of the counter (van der Corput sequence); the other
// matrices generate dimensions of a Sobol sequence.
module sc_sequence #(
    parameter WIDTH = 8,                     // bits of the counter
    parameter BITS = 8,                      // leading bits of a number that are compared
    parameter [BITS*WIDTH-1:0] ROWS = 0,     // row k masks the bits of t whose parity is bit k
    parameter [BITS-1:0] SHIFT = 0
) (
    input wire clk,
    input wire clear,
    input wire step,
    output wire [BITS-1:0] number
);
    reg [WIDTH-1:0] t;
    always @(posedge clk)
        if (clear) t <= {WIDTH{1'b0}};
        else if (step) t <= t + 1'b1;

    genvar k;
    generate
        for (k = 0; k < BITS; k = k + 1) begin : g_bit
            assign number[k] = ^(t & ROWS[k*WIDTH +: WIDTH]) ^ SHIFT[k];
        end
    endgenerate
endmodule
