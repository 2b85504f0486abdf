// Selects the class: the neuron with the most spikes. Ties go to the highest potential, then to the
// lowest index. Neurons arrive in order, one per clock cycle.
`ifdef SC_SCORES
// Their spikes and potentials are kept.
`endif
module sc_best #(
`ifdef SC_SCORES
    parameter N = 10,
`endif
    parameter SPIKES = 7, parameter WORD = 16, parameter CLASS = 4
) (
    input wire clk,
    input wire valid,
    input wire [CLASS-1:0] neuron,
    input wire [SPIKES-1:0] spikes,
    input wire signed [WORD-1:0] v,
`ifdef SC_SCORES
    input wire [CLASS-1:0] out_neuron,
    output wire [SPIKES-1:0] out_count,      // of out_neuron, one clock cycle later
    output wire [WORD-1:0] out_potential,
`endif
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
`ifdef SC_SCORES

    (* no_rw_check *) reg [SPIKES+WORD-1:0] scores [0:N-1];
    reg [SPIKES+WORD-1:0] read;
    always @(posedge clk) begin
        if (valid) scores[neuron] <= {spikes, v};
        read <= scores[out_neuron];
    end
    assign {out_count, out_potential} = read;
`endif
endmodule
