// Sum of N unsigned terms, term i times 2**(SHIFT * i): a tree with a register behind each adder. The sum
// follows its terms by DEPTH clock cycles.
module sc_tree #(
    parameter N = 8, parameter WIDTH = 4,
    parameter SHIFT = 0,                     // 0 or 1
    parameter DEPTH = $clog2(N)
) (
    /* verilator lint_off UNUSEDSIGNAL */    // a sum of one term has no register
    input wire clk,
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [N*WIDTH-1:0] terms,
    output wire [WIDTH+(SHIFT == 0 ? $clog2(N) : N == 1 ? 0 : N)-1:0] sum
);
    localparam SUM = WIDTH + (SHIFT == 0 ? $clog2(N) : N == 1 ? 0 : N);
    localparam HALF = (DEPTH == 0) ? 1 : 1 << (DEPTH - 1);
    generate
        if (DEPTH == 0) begin : g_tree
            assign sum = terms;
        end else if (N <= HALF) begin : g_tree
            wire [SUM-1:0] earlier;
            reg [SUM-1:0] late;
            sc_tree #(.N(N), .WIDTH(WIDTH), .SHIFT(SHIFT), .DEPTH(DEPTH - 1)) u_all (
                .clk(clk), .terms(terms), .sum(earlier)
            );
            always @(posedge clk) late <= earlier;
            assign sum = late;
        end else begin : g_tree
            localparam REST = N - HALF, KEPT = (SHIFT == 0) ? 0 : HALF;  // KEPT: bits of `low` alone
            localparam LOW = WIDTH + (SHIFT == 0 ? $clog2(HALF) : HALF == 1 ? 0 : HALF);
            localparam HIGH = WIDTH + (SHIFT == 0 ? $clog2(REST) : REST == 1 ? 0 : REST);
            wire [LOW-1:0] low;
            wire [HIGH-1:0] high;
            sc_tree #(.N(HALF), .WIDTH(WIDTH), .SHIFT(SHIFT), .DEPTH(DEPTH - 1)) u_low (
                .clk(clk), .terms(terms[HALF*WIDTH-1:0]), .sum(low)
            );
            sc_tree #(.N(REST), .WIDTH(WIDTH), .SHIFT(SHIFT), .DEPTH(DEPTH - 1)) u_high (
                .clk(clk), .terms(terms[N*WIDTH-1:HALF*WIDTH]), .sum(high)
            );
            reg [SUM-1:0] added;
            /* verilator lint_off WIDTH */   // both are unsigned, and shorter than their sum
            wire [SUM-1:0] wide = low;
            wire [SUM-KEPT-1:0] upper = high + wide[SUM-1:KEPT];
            /* verilator lint_on WIDTH */
            if (KEPT == 0) begin : g_added
                always @(posedge clk) added <= upper;
            end else begin : g_added
                always @(posedge clk) added <= {upper, wide[KEPT-1:0]};
            end
            assign sum = added;
        end
    endgenerate
endmodule
