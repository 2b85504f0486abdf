// Compares a number with all constants: below[k] = (number < k). The bitstream of a constant weight is
// one wire of this bus; synthesis removes the unused wires.
module sc_thermometer #(
    parameter BITS = 8
) (
    input wire [BITS-1:0] number,
    output wire [(1<<BITS)-1:0] below
);
    /* verilator lint_off WIDTHCONCAT */ // above 8192 bits Verilator suspects an error
    assign below = {{((1<<BITS)-1){1'b1}}, 1'b0} << number;
    /* verilator lint_on WIDTHCONCAT */
endmodule
