// Change of the magnitude m of a weight by LEVEL with a probability, combinational. Each probability is
// a product of two bitstreams, of which each is a byte below a constant or below the head of a trace:
//   an input spike    m = max(m - LEVEL, 0) if random[7:0] < P_MINUS and random[15:8] < post >> DROP
//   then, an output spike    m = min(m + LEVEL, MOST) if random[23:16] < P_PLUS
//                            and random[31:24] < pre >> DROP
module sc_move #(
    parameter WEIGHT = 15,                   // bits of a magnitude
    parameter MOST = 32767,
    parameter TRACE = 13,                    // bits of a trace
    parameter DROP = 4,                      // bits of a trace below those compared, TRACE - 9
    parameter P_PLUS = 128, parameter P_MINUS = 128,       // in units of 1 / 256, up to 256
    parameter LEVEL = 128                    // at most MOST
) (
    input wire [WEIGHT-1:0] m,
    input wire x,                            // spike of the input
    input wire spike,                        // spike of the neuron
    /* verilator lint_off UNUSEDSIGNAL */    // bits that are not compared
    input wire [TRACE-1:0] pre,              // trace of the input, with this spike
    input wire [TRACE-1:0] post,             // trace of the neuron, before this spike
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [31:0] random,
    output wire [WEIGHT-1:0] m_next
);
    /* verilator lint_off UNSIGNED */         // with a probability of 0
    wire falls = x && {1'b0, random[7:0]} < P_MINUS[8:0] && {1'b0, random[15:8]} < post[DROP +: 9];
    wire rises = spike && {1'b0, random[23:16]} < P_PLUS[8:0] && {1'b0, random[31:24]} < pre[DROP +: 9];
    /* verilator lint_on UNSIGNED */
    wire [WEIGHT-1:0] low = !falls ? m : m > LEVEL[WEIGHT-1:0] ? m - LEVEL[WEIGHT-1:0] : {WEIGHT{1'b0}};
    wire [WEIGHT:0] high = {1'b0, low} + LEVEL[WEIGHT:0];
    assign m_next = !rises ? low : high > MOST[WEIGHT:0] ? MOST[WEIGHT-1:0] : high[WEIGHT-1:0];
endmodule
