// Neuron of an unrolled layer: counts its synapses, excitatory ones first, then computes the LIF step.
// The count is registered, so spike and v follow the inputs by two clock cycles.
module sc_neuron #(
    parameter EXCITING = 4, INHIBITING = 4,  // numbers of synapses, not both 0
    parameter COUNT = 5,                     // bits of the signed count
    parameter WORD = 16, parameter FRACTION = 4, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,
    parameter SYNAPSE = 0,                   // 1: the neuron has a synaptic current
    /* verilator lint_off UNUSEDPARAM */     // unused without synaptic currents
    parameter SYN_LEAK = 1, parameter SYN_LEAK_SHIFT = 0, parameter SYN_FRACTION = 0
    /* verilator lint_on UNUSEDPARAM */
) (
    input wire clk,
    input wire clear,
    input wire step,                         // reads x and w
    input wire fire,                         // one clock cycle after step
    input wire [EXCITING+INHIBITING-1:0] x,
    input wire [EXCITING+INHIBITING-1:0] w,  // bitstreams of the weight magnitudes
    output reg spike,
    output reg signed [WORD-1:0] v
);
    wire signed [COUNT-1:0] exciting, inhibiting;
    generate
        if (EXCITING == 0) begin : g_exciting
            assign exciting = {COUNT{1'b0}};
        end else begin : g_exciting
            wire [$clog2(EXCITING+1)-1:0] ones;
            sc_count #(.N(EXCITING)) u_count (.x(x[0 +: EXCITING]), .w(w[0 +: EXCITING]), .ones(ones));
            assign exciting = {{(COUNT-$clog2(EXCITING+1)){1'b0}}, ones};
        end
        if (INHIBITING == 0) begin : g_inhibiting
            assign inhibiting = {COUNT{1'b0}};
        end else begin : g_inhibiting
            wire [$clog2(INHIBITING+1)-1:0] ones;
            sc_count #(.N(INHIBITING)) u_count (
                .x(x[EXCITING +: INHIBITING]), .w(w[EXCITING +: INHIBITING]), .ones(ones)
            );
            assign inhibiting = {{(COUNT-$clog2(INHIBITING+1)){1'b0}}, ones};
        end
    endgenerate
    reg signed [COUNT-1:0] count;
    always @(posedge clk) if (step) count <= exciting - inhibiting;

    localparam DRIVE = (SYNAPSE != 0) ? WORD : COUNT;
    wire signed [DRIVE-1:0] drive;
    generate
        if (SYNAPSE == 0) begin : g_synapse
            assign drive = count;
        end else begin : g_synapse
            reg signed [WORD-1:0] i;
            wire signed [WORD-1:0] i_next;
            sc_synapse #(
                .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION + SYN_FRACTION), .LEAK(SYN_LEAK),
                .LEAK_SHIFT(SYN_LEAK_SHIFT), .DROP(SYN_FRACTION)
            ) u_synapse (.i(i), .count(count), .own(1'b0), .i_next(i_next), .drive(drive));
            always @(posedge clk)
                if (clear) i <= {WORD{1'b0}};
                else if (fire) i <= i_next;
        end
    endgenerate

    reg [REST-1:0] rest;
    wire spike_next;
    wire signed [WORD-1:0] v_next;
    wire [REST-1:0] rest_next;
    sc_lif #(
        .WORD(WORD), .COUNT(DRIVE), .FRACTION((SYNAPSE != 0) ? 0 : FRACTION), .LEAK(LEAK),
        .LEAK_SHIFT(LEAK_SHIFT), .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT), .REFRACTORY(REFRACTORY), .REST(REST)
    ) u_lif (
        .v(v), .rest(rest), .count(drive), .own(1'b0), .spike(spike_next), .v_next(v_next),
        .rest_next(rest_next)
    );
    always @(posedge clk)
        if (clear) begin
            v <= {WORD{1'b0}};
            rest <= {REST{1'b0}};
            spike <= 1'b0;
        end else if (fire) begin
            v <= v_next;
            rest <= rest_next;
            spike <= spike_next;
        end
endmodule
