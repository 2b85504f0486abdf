// Layer 1 of little: 6 inputs, 3 neurons, a time step a clock.
// The stream of a weight is a wire of the thermometer, a synapse is one gate.
module little_layer1 (
    input wire clk,
    input wire clear,                        // to the start of an image
    input wire step,
    input wire [5:0] x,
    output reg valid,                        // two clocks after the step
    output wire [2:0] spike,
    output wire [47:0] v
);
    wire [7:0] number;
    sc_sequence #(
        .WIDTH(8), .BITS(8),
        .ROWS(64'b11011011_10110110_00010100_00101000_01110000_11100000_01000000_10000000),
        .SHIFT(8'b00001111)
    ) u_sequence (.clk(clk), .clear(clear), .step(step), .number(number));

    wire [255:0] below;
    sc_thermometer #(.BITS(8)) u_thermometer (.number(number), .below(below));

    reg fire;
    always @(posedge clk) begin
        fire <= step && !clear;
        valid <= fire && !clear;
    end

    sc_neuron #(
        .N_IN(6), .BITS(8), .COUNT(4),
        .WEIGHTS({
            8'd241, 8'd55, 8'd63, 8'd238, 8'd169, 8'd180
        }),
        .NEGATIVE(6'b000010), .NEGATIVES(1),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron0 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(x), .below(below),
        .spike(spike[0]), .v(v[0 +: 16])
    );

    sc_neuron #(
        .N_IN(6), .BITS(8), .COUNT(4),
        .WEIGHTS({
            8'd157, 8'd213, 8'd67, 8'd228, 8'd148, 8'd147
        }),
        .NEGATIVE(6'b111100), .NEGATIVES(4),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron1 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(x), .below(below),
        .spike(spike[1]), .v(v[16 +: 16])
    );

    sc_neuron #(
        .N_IN(6), .BITS(8), .COUNT(4),
        .WEIGHTS({
            8'd179, 8'd4, 8'd104, 8'd191, 8'd184, 8'd147
        }),
        .NEGATIVE(6'b011101), .NEGATIVES(4),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron2 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(x), .below(below),
        .spike(spike[2]), .v(v[32 +: 16])
    );
endmodule
