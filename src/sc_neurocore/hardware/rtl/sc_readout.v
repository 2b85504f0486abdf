// Readout of neurons that fire in parallel: counts their spikes, and scans the counts for the class
// after the last time step.
module sc_readout #(
    parameter N = 10, parameter SPIKES = 7, parameter WORD = 16, parameter CLASS = 4
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire last,                         // with valid: the last time step
    input wire [N-1:0] spike,
    input wire [N*WORD-1:0] v,
    output reg class_valid,
`ifdef SC_SCORES
    input wire [CLASS-1:0] out_neuron,
    output wire [SPIKES-1:0] out_count,      // of out_neuron, one clock cycle later
    output wire [WORD-1:0] out_potential,
`endif
    output wire [CLASS-1:0] best
);
    reg [N*SPIKES-1:0] spikes;
    reg scan;
    reg [CLASS-1:0] neuron;
    localparam integer LAST = N - 1;
    integer i;
    always @(posedge clk) begin
        if (clear) begin
            spikes <= {(N*SPIKES){1'b0}};
            scan <= 1'b0;
        end else begin
            for (i = 0; i < N; i = i + 1)
                if (valid && spike[i]) spikes[i*SPIKES +: SPIKES] <= spikes[i*SPIKES +: SPIKES] + 1'b1;
            scan <= (valid && last) || (scan && neuron != LAST[CLASS-1:0]);
        end
        neuron <= scan ? neuron + 1'b1 : {CLASS{1'b0}};
        class_valid <= scan && neuron == LAST[CLASS-1:0];
    end

    sc_best #(
`ifdef SC_SCORES
        .N(N),
`endif
        .SPIKES(SPIKES), .WORD(WORD), .CLASS(CLASS)
    ) u_best (
`ifdef SC_SCORES
        .out_neuron(out_neuron), .out_count(out_count), .out_potential(out_potential),
`endif
        .clk(clk), .valid(scan), .neuron(neuron),
        .spikes(spikes[neuron*SPIKES +: SPIKES]), .v(v[neuron*WORD +: WORD]), .best(best)
    );
endmodule
