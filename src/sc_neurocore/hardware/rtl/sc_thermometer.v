// below[k] = (number < k): the streams of all constants at once. The stream of a constant weight is
// then a wire of this bus. The halves of the number are compared first, so that a wire costs one
// small gate more.
module sc_thermometer #(
    parameter BITS = 8
) (
    input wire [BITS-1:0] number,
    output reg [(1<<BITS)-1:0] below
);
    localparam LOW = BITS / 2, HIGH = BITS - LOW;
    reg [1<<HIGH:0] high_below;              // the upper half is below
    reg [(1<<LOW)-1:0] low_below;
    integer k;
    always @* begin
        for (k = 0; k <= (1 << HIGH); k = k + 1) high_below[k] = {{(32-HIGH){1'b0}}, number[BITS-1:LOW]} < k;
        for (k = 0; k < (1 << LOW); k = k + 1) low_below[k] = {{(32-LOW){1'b0}}, number[LOW-1:0]} < k;
        for (k = 0; k < (1 << BITS); k = k + 1)
            below[k] = high_below[k>>LOW] | (high_below[(k>>LOW)+1] & low_below[k&((1<<LOW)-1)]);
    end
endmodule
