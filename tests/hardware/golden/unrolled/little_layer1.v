`default_nettype none
// Written by sc-neurocore 0.1.0.
// Layer 1 of little: 6 inputs, 3 neurons, one time step per clock cycle.
// Each weight bitstream is a wire of the thermometer, and each synapse is one gate.
module little_layer1 (
    input wire clk,
    input wire clear,                        // resets the layer for a new image
    input wire step,
    /* verilator lint_off UNUSEDSIGNAL */ // inputs with only zero weights
    input wire [5:0] x,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg valid,                        // two clock cycles after the step
    output wire [2:0] spike,
    output wire [47:0] v
);
    wire [7:0] number;
    sc_sequence #(
        .WIDTH(8), .BITS(8),
        .ROWS(64'b11011011_10110110_00010100_00101000_01110000_11100000_01000000_10000000),
        .SHIFT(8'b00001111)
    ) u_sequence (.clk(clk), .clear(clear), .step(step), .number(number));

    /* verilator lint_off UNUSEDSIGNAL */ // unused magnitudes
    wire [255:0] below;
    /* verilator lint_on UNUSEDSIGNAL */
    sc_thermometer #(.BITS(8)) u_thermometer (.number(number), .below(below));

    reg fire;
    always @(posedge clk) begin
        fire <= step && !clear;
        valid <= fire && !clear;
    end

    sc_neuron #(
        .EXCITING(5), .INHIBITING(1), .COUNT(4),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron0 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[1], x[5], x[4], x[3], x[2], x[0]
        }),
        .w({
            below[169], below[241], below[55], below[63], below[238], below[180]
        }),
        .spike(spike[0]), .v(v[0 +: 16])
    );

    sc_neuron #(
        .EXCITING(2), .INHIBITING(4), .COUNT(4),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron1 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[5], x[4], x[3], x[2], x[1], x[0]
        }),
        .w({
            below[157], below[213], below[67], below[228], below[148], below[147]
        }),
        .spike(spike[1]), .v(v[16 +: 16])
    );

    sc_neuron #(
        .EXCITING(2), .INHIBITING(4), .COUNT(4),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1)
    ) u_neuron2 (
        .clk(clk), .clear(clear), .step(step), .fire(fire),
        .x({
            x[4], x[3], x[2], x[0], x[5], x[1]
        }),
        .w({
            below[4], below[104], below[191], below[147], below[179], below[184]
        }),
        .spike(spike[2]), .v(v[32 +: 16])
    );
endmodule

`default_nettype wire
