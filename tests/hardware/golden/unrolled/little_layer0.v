// Layer 0 of little: 10 inputs and a bias, 6 neurons, a time step a clock.
// The stream of a weight is a wire of the thermometer, a synapse is one gate.
module little_layer0 (
    input wire clk,
    input wire clear,                        // to the start of an image
    input wire step,
    input wire [9:0] x,
    output reg valid,                        // two clocks after the step
    output wire [5:0] spike,
    output wire [95:0] v
);
    wire [7:0] number;
    sc_sequence #(
        .WIDTH(8), .BITS(8),
        .ROWS(64'b11111111_10101010_11001100_10001000_11110000_10100000_11000000_10000000),
        .SHIFT(8'b00001111)
    ) u_sequence (.clk(clk), .clear(clear), .step(step), .number(number));

    wire [255:0] below;
    sc_thermometer #(.BITS(8)) u_thermometer (.number(number), .below(below));

    reg fire;
    always @(posedge clk) begin
        fire <= step && !clear;
        valid <= fire && !clear;
    end

    wire [10:0] inputs = {1'b1, x};

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd164, 8'd198, 8'd120, 8'd174, 8'd11, 8'd34, 8'd208, 8'd42, 8'd154, 8'd135, 8'd212
        }),
        .NEGATIVE(11'b11011110011), .NEGATIVES(8),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron0 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[0]), .v(v[0 +: 16])
    );

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd126, 8'd106, 8'd100, 8'd76, 8'd110, 8'd234, 8'd122, 8'd44, 8'd36, 8'd9, 8'd56
        }),
        .NEGATIVE(11'b01001000101), .NEGATIVES(4),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron1 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[1]), .v(v[16 +: 16])
    );

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd129, 8'd106, 8'd240, 8'd140, 8'd15, 8'd44, 8'd201, 8'd95, 8'd103, 8'd242, 8'd255
        }),
        .NEGATIVE(11'b00101001101), .NEGATIVES(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron2 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[2]), .v(v[32 +: 16])
    );

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd34, 8'd144, 8'd114, 8'd124, 8'd103, 8'd67, 8'd150, 8'd221, 8'd82, 8'd209, 8'd64
        }),
        .NEGATIVE(11'b01001010011), .NEGATIVES(5),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron3 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[3]), .v(v[48 +: 16])
    );

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd216, 8'd54, 8'd179, 8'd204, 8'd194, 8'd132, 8'd37, 8'd164, 8'd94, 8'd81, 8'd169
        }),
        .NEGATIVE(11'b01010010000), .NEGATIVES(3),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron4 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[4]), .v(v[64 +: 16])
    );

    sc_neuron #(
        .N_IN(11), .BITS(8), .COUNT(5),
        .WEIGHTS({
            8'd151, 8'd155, 8'd58, 8'd51, 8'd32, 8'd115, 8'd190, 8'd107, 8'd102, 8'd181, 8'd10
        }),
        .NEGATIVE(11'b11010101011), .NEGATIVES(7),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1)
    ) u_neuron5 (
        .clk(clk), .clear(clear), .step(step), .fire(fire), .x(inputs), .below(below),
        .spike(spike[5]), .v(v[80 +: 16])
    );
endmodule
