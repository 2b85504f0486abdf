// Counts the products x & w that are 1: each synapse is the AND of an input and its weight stream.
// The counts of two halves and one extra product are added in one adder. Its lowest bit position adds
// x + w, which carries exactly if x & w, so the extra product needs no gate of its own.
module sc_count #(
    parameter N = 8
) (
    input wire [N-1:0] x,
    input wire [N-1:0] w,
    output wire [$clog2(N+1)-1:0] ones
);
    localparam ONES = $clog2(N + 1), LOW = (N - 1) / 2, HIGH = N - 1 - LOW;
    generate
        if (N == 1) begin : g_count
            assign ones = x & w;
        end else if (N == 2) begin : g_count
            assign ones = {x[0] & w[0] & x[1] & w[1], x[0] & w[0] ^ x[1] & w[1]};
        end else if (N == 3) begin : g_count
            wire [2:0] product = x & w;
            assign ones = {product[0] & product[1] | product[2] & (product[0] ^ product[1]), ^product};
        end else begin : g_count
            wire [$clog2(LOW+1)-1:0] low;
            wire [$clog2(HIGH+1)-1:0] high;
            sc_count #(.N(LOW)) u_low (.x(x[0 +: LOW]), .w(w[0 +: LOW]), .ones(low));
            sc_count #(.N(HIGH)) u_high (.x(x[LOW +: HIGH]), .w(w[LOW +: HIGH]), .ones(high));

            wire [ONES:0] low_and_x = {{(ONES-$clog2(LOW+1)){1'b0}}, low, x[N-1]};
            wire [ONES:0] high_and_w = {{(ONES-$clog2(HIGH+1)){1'b0}}, high, w[N-1]};
            /* verilator lint_off UNUSEDSIGNAL */ // the lowest bit, x ^ w
            wire [ONES:0] sum = low_and_x + high_and_w;
            /* verilator lint_on UNUSEDSIGNAL */
            assign ones = sum[ONES:1];
        end
    endgenerate
endmodule
