// Readout of neurons that fire one after another: counts their spikes, and compares the counts in the
// last time step.
module sc_readout_folded #(
    parameter N = 10, parameter SPIKES = 7, parameter WORD = 16, parameter CLASS = 4
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire last,                         // the last time step
    input wire [CLASS-1:0] neuron,
    input wire spike,
    input wire signed [WORD-1:0] v,
    output reg class_valid,
    output wire [CLASS-1:0] best
);
    reg [SPIKES-1:0] counts [0:N-1];
    reg fresh;                               // the counts belong to the previous image
    localparam integer LAST = N - 1;
    wire [SPIKES-1:0] count = (fresh ? {SPIKES{1'b0}} : counts[neuron]) + {{(SPIKES-1){1'b0}}, spike};
    wire end_of_step = valid && neuron == LAST[CLASS-1:0];
    always @(posedge clk) begin
        if (valid) counts[neuron] <= count;
        if (clear) fresh <= 1'b1;
        else if (end_of_step) fresh <= 1'b0;
        class_valid <= end_of_step && last && !clear;
    end

    sc_best #(.SPIKES(SPIKES), .WORD(WORD), .CLASS(CLASS)) u_best (
        .clk(clk), .valid(valid && last), .neuron(neuron), .spikes(count), .v(v), .best(best)
    );
endmodule
