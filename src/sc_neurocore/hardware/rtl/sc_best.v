// Selects the class: the neuron with the most spikes. Ties go to the highest potential, then to the
// lowest index. Neurons arrive in order, one per clock cycle.
module sc_best #(
    parameter SPIKES = 7, parameter WORD = 16, parameter CLASS = 4
) (
    input wire clk,
    input wire valid,
    input wire [CLASS-1:0] neuron,
    input wire [SPIKES-1:0] spikes,
    input wire signed [WORD-1:0] v,
    output reg [CLASS-1:0] best
);
    // Inverting the sign bit lets potentials be compared as unsigned numbers.
    wire [SPIKES+WORD-1:0] score = {spikes, ~v[WORD-1], v[WORD-2:0]};
    reg [SPIKES+WORD-1:0] highest;
    always @(posedge clk)
        if (valid && (neuron == 0 || score > highest)) begin
            highest <= score;
            best <= neuron;
        end
endmodule
