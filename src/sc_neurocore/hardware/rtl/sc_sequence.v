// Numbers that every comparator of a stage sees at a step: M t ^ SHIFT over GF(2), where t counts
// steps. The unit matrix with its rows reversed gives the counter with its bits reversed; the
// matrices of a Sobol sequence give its other dimensions.
module sc_sequence #(
    parameter WIDTH = 8,                     // bits of the counter
    parameter BITS = 8,                      // leading bits of a number, those that are compared
    parameter [BITS*WIDTH-1:0] ROWS = 0,     // row k: the digits of t whose parity is bit k
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
