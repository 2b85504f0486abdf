// A neuron of an unrolled layer: one gate a synapse, the count, the LIF step. Counts are registered,
// so spike and v belong to the inputs of two steps before.
module sc_neuron #(
    parameter N_IN = 8, parameter BITS = 8, parameter COUNT = 5,
    parameter [N_IN*BITS-1:0] WEIGHTS = 0,   // magnitudes in units of 2**-BITS
    parameter [N_IN-1:0] NEGATIVE = 0, parameter NEGATIVES = 0,
    parameter WORD = 16, parameter FRACTION = 4, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1
) (
    input wire clk,
    input wire clear,
    input wire step,                         // takes x and below
    input wire fire,                         // the step after
    input wire [N_IN-1:0] x,
    input wire [(1<<BITS)-1:0] below,        // of a thermometer
    output reg spike,
    output reg signed [WORD-1:0] v
);
    reg [N_IN-1:0] product;
    integer i;
    always @* for (i = 0; i < N_IN; i = i + 1) product[i] = x[i] & below[WEIGHTS[i*BITS +: BITS]];

    wire signed [COUNT-1:0] total;
    sc_count #(.N(N_IN), .COUNT(COUNT), .NEGATIVE(NEGATIVE), .NEGATIVES(NEGATIVES)) u_count (.product(product), .count(total));
    reg signed [COUNT-1:0] count;
    always @(posedge clk) if (step) count <= total;

    reg [REST-1:0] rest;
    wire spike_next;
    wire signed [WORD-1:0] v_next;
    wire [REST-1:0] rest_next;
    sc_lif #(
        .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION), .LEAK(LEAK), .LEAK_SHIFT(LEAK_SHIFT),
        .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT), .REFRACTORY(REFRACTORY), .REST(REST)
    ) u_lif (
        .v(v), .rest(rest), .count(count), .spike(spike_next), .v_next(v_next), .rest_next(rest_next)
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
