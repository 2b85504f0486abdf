// Ones among the products of positive weights less those among the products of negative ones. The
// bit of a negative weight is inverted, which counts 1 - b instead of -b: one too much for each.
module sc_count #(
    parameter N = 8,
    parameter COUNT = 5,                     // bits of the signed count
    parameter [N-1:0] NEGATIVE = 0,
    parameter NEGATIVES = 0                  // how many these are
) (
    input wire [N-1:0] product,
    output wire signed [COUNT-1:0] count
);
    reg [COUNT-2:0] ones;
    integer i;
    always @* begin
        ones = {(COUNT-1){1'b0}};
        for (i = 0; i < N; i = i + 1) ones = ones + {{(COUNT-2){1'b0}}, product[i] ^ NEGATIVE[i]};
    end
    assign count = $signed({1'b0, ones}) - NEGATIVES;
endmodule
