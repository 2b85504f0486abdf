// Change of the magnitude m of a weight by pairs of spikes, combinational:
//   an input spike    m = max(m - (post * A_MINUS >> A_MINUS_SHIFT), 0)
//   then, an output spike    m = min(m + (pre * A_PLUS >> A_PLUS_SHIFT), MOST)
module sc_stdp #(
    parameter WEIGHT = 15,                   // bits of a magnitude
    parameter MOST = 32767,
    parameter TRACE = 16,                    // bits of a trace
    parameter A_PLUS = 164, parameter A_PLUS_SHIFT = 11,
    parameter A_MINUS = 164, parameter A_MINUS_SHIFT = 11
) (
    input wire [WEIGHT-1:0] m,
    input wire x,                            // spike of the input
    input wire spike,                        // spike of the neuron
    input wire [TRACE-1:0] pre,              // trace of the input, with this spike
    input wire [TRACE-1:0] post,             // trace of the neuron, before this spike
    output wire [WEIGHT-1:0] m_next
);
    localparam UP = TRACE + $clog2(A_PLUS + 1), DOWN = TRACE + $clog2(A_MINUS + 1);
    localparam MORE = (UP > DOWN) ? UP : DOWN;
    localparam SUM = ((MORE > WEIGHT) ? MORE : WEIGHT) + 1;
    wire [SUM-1:0] rise = ({{(SUM-TRACE){1'b0}}, pre} * A_PLUS[SUM-1:0]) >> A_PLUS_SHIFT;
    wire [SUM-1:0] fall = ({{(SUM-TRACE){1'b0}}, post} * A_MINUS[SUM-1:0]) >> A_MINUS_SHIFT;

    wire [SUM-1:0] now = {{(SUM-WEIGHT){1'b0}}, m};
    wire [SUM-1:0] low = !x ? now : now > fall ? now - fall : {SUM{1'b0}};
    wire [SUM-1:0] high = low + rise;
    assign m_next = !spike ? low[WEIGHT-1:0] : high > MOST[SUM-1:0] ? MOST[WEIGHT-1:0] : high[WEIGHT-1:0];
endmodule
