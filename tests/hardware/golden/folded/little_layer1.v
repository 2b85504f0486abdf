`default_nettype none
// Written by sc-neurocore 0.1.0.
// Layer 1 of little: 6 inputs, 3 neurons. Processes 4 inputs of 1 neuron per clock cycle.
module little_layer1 (
    input wire clk,
    input wire clear,                        // resets the layer for a new image
    input wire step,
    output wire x_read,                      // a word of inputs is needed
    output wire [0:0] x_address,
    input wire [3:0] x_word,              // one clock cycle after its address
    output wire valid,                       // outputs of a group of neurons
    output wire [1:0] group,
    output wire [0:0] spike,
    output wire [15:0] v,
    output wire done                         // valid outputs are those of the last group
);
    sc_folded #(
        .N_IN(6), .SIMD(4), .PE(1), .BITS(8), .BIAS(0),
        .COUNT(4), .SEQUENCE(8),
        .ROWS(64'b11011011_10110110_00010100_00101000_01110000_11100000_01000000_10000000),
        .SHIFT(8'b00001111),
        .WORD(16), .FRACTION(9), .LEAK(205), .LEAK_SHIFT(12),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(1), .REFRACTORY(0), .REST(1),
        .COLUMNS(2), .GROUPS(3),
        .COLUMN(1), .GROUP(2), .ADDRESS(3),
        .WEIGHTS("little_layer1")
    ) u_folded (
        .clk(clk), .clear(clear), .step(step), .x_read(x_read), .x_address(x_address), .x_word(x_word),
        .valid(valid), .group(group), .spike(spike), .v(v), .done(done)
    );
endmodule

`default_nettype wire
