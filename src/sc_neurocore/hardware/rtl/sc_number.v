// Number for the comparators of a stage at bit t: M t ^ SHIFT over GF(2), as in sc_sequence.
module sc_number #(
    parameter WIDTH = 8, parameter BITS = 8,
    parameter [BITS*WIDTH-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0
) (
    input wire [WIDTH-1:0] t,
    output wire [BITS-1:0] number
);
    genvar k;
    generate
        for (k = 0; k < BITS; k = k + 1) begin : g_bit
            assign number[k] = ^(t & ROWS[k*WIDTH +: WIDTH]) ^ SHIFT[k];
        end
    endgenerate
endmodule
