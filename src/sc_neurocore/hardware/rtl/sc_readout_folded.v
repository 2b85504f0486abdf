// Readout of neurons that fire one after another: counts their spikes, and compares the counts in the
// last time step. With EARLY it compares them in every step, and ends an image as soon as its class is
// final: when the neuron with the most spikes leads every other by more spikes than that one can still
// fire. A neuron rests for PAUSE steps after a spike, so that in r steps it fires r / (1 + PAUSE) spikes,
// rounded up.
module sc_readout_folded #(
    parameter N = 10, parameter SPIKES = 7, parameter WORD = 16, parameter CLASS = 4,
    parameter EARLY = 0,
    /* verilator lint_off UNUSEDPARAM */     // unused without EARLY
    parameter LENGTH = 100, parameter PAUSE = 0
    /* verilator lint_on UNUSEDPARAM */
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire done,                         // with valid: the last neuron
    input wire last,                         // the last time step
    input wire [CLASS-1:0] neuron,
    input wire spike,
    input wire signed [WORD-1:0] v,
    output wire step_done,                   // with the last neuron, or a clock cycle later with EARLY
    output wire decided,                     // with step_done: the class is final
    output reg class_valid,
`ifdef SC_SCORES
    input wire [CLASS-1:0] out_neuron,
    output wire [SPIKES-1:0] out_count,      // of out_neuron, one clock cycle later
    output wire [WORD-1:0] out_potential,
`endif
    output wire [CLASS-1:0] best
);
    reg [SPIKES-1:0] counts [0:N-1];
    reg fresh;                               // the counts belong to the previous image
    wire [SPIKES-1:0] count = (fresh ? {SPIKES{1'b0}} : counts[neuron]) + {{(SPIKES-1){1'b0}}, spike};
    wire end_of_step = valid && done;
    always @(posedge clk) begin
        if (valid) counts[neuron] <= count;
        if (clear) fresh <= 1'b1;
        else if (end_of_step) fresh <= 1'b0;
        class_valid <= step_done && (last || decided) && !clear;
    end

    generate
        if (EARLY == 0) begin : g_early
            assign step_done = end_of_step;
            assign decided = 1'b0;
        end else begin : g_early
            // The two highest counts of the step, and the spikes that a neuron can still fire after it
            localparam integer MOST = (LENGTH + PAUSE) / (1 + PAUSE), PHASE = (LENGTH - 1) % (1 + PAUSE);
            localparam REST = (PAUSE == 0) ? 1 : $clog2(PAUSE + 1);
            localparam integer PERIOD = PAUSE;
            reg [SPIKES-1:0] first, second, left;
            reg [REST-1:0] phase;            // steps before `left` decreases again
            reg ended;
            wire [SPIKES-1:0] first_so_far = (neuron == 0) ? {SPIKES{1'b0}} : first;
            wire [SPIKES-1:0] second_so_far = (neuron == 0) ? {SPIKES{1'b0}} : second;
            wire leads = count > first_so_far;
            always @(posedge clk) begin
                if (valid) begin
                    first <= leads ? count : first_so_far;
                    second <= leads ? first_so_far : (count > second_so_far) ? count : second_so_far;
                end
                if (clear) begin
                    left <= MOST[SPIKES-1:0];
                    phase <= PHASE[REST-1:0];
                end else if (end_of_step) begin
                    if (phase == 0) left <= left - 1'b1;
                    phase <= (phase == 0) ? PERIOD[REST-1:0] : phase - 1'b1;
                end
                ended <= end_of_step && !clear;
            end
            assign step_done = ended;
            assign decided = {1'b0, first} > {1'b0, second} + {1'b0, left};
        end
    endgenerate

    sc_best #(
`ifdef SC_SCORES
        .N(N),
`endif
        .SPIKES(SPIKES), .WORD(WORD), .CLASS(CLASS)
    ) u_best (
`ifdef SC_SCORES
        .out_neuron(out_neuron), .out_count(out_count), .out_potential(out_potential),
`endif
        .clk(clk), .valid(valid && (last || EARLY != 0)), .neuron(neuron), .spikes(count), .v(v), .best(best)
    );
endmodule
