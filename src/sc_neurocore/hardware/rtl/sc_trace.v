// One time step of the trace of an input or a neuron, combinational:
//   kept = trace * KEEP >> KEEP_SHIFT
// next is kept without a spike. With one, it is ONE if NEAREST, else min(kept + ONE, 2**TRACE - 1).
module sc_trace #(
    parameter TRACE = 16,                    // bits of a trace
    parameter ONE = 4096,                    // trace of one spike, below 2**TRACE
    parameter NEAREST = 0,
    parameter KEEP = 243, parameter KEEP_SHIFT = 8         // 0 < KEEP <= 2**KEEP_SHIFT
) (
    input wire [TRACE-1:0] trace,
    input wire spike,
    output wire [TRACE-1:0] kept,
    output wire [TRACE-1:0] next
);
    localparam FACTOR = $clog2(KEEP + 1), PRODUCT = TRACE + FACTOR;
    /* verilator lint_off UNUSEDSIGNAL */    // kept is at most trace
    wire [PRODUCT-1:0] product = {{FACTOR{1'b0}}, trace} * KEEP[PRODUCT-1:0];
    wire [PRODUCT-1:0] shifted = product >> KEEP_SHIFT;
    /* verilator lint_on UNUSEDSIGNAL */
    assign kept = shifted[TRACE-1:0];
    wire [TRACE:0] sum = {1'b0, kept} + ONE[TRACE:0];
    wire [TRACE-1:0] risen = (NEAREST != 0) ? ONE[TRACE-1:0] : sum[TRACE] ? {TRACE{1'b1}} : sum[TRACE-1:0];
    assign next = spike ? risen : kept;
endmodule
