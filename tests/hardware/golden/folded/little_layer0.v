`default_nettype none
// Written by sc-neurocore 0.1.0.
// Layer 0 of little: 10 inputs and a bias, 6 neurons. Processes 4 inputs of 2 neurons per clock cycle.
module little_layer0 (
    input wire clk,
    input wire clear,                        // resets the layer for a new image
    input wire step,
    output wire x_read,                      // a word of inputs is needed
    output wire [1:0] x_address,
    input wire [3:0] x_word,              // one clock cycle after its address
    output wire valid,                       // outputs of a group of neurons
    output wire [1:0] group,
    output wire [1:0] spike,
    output wire [31:0] v,
    output wire done                         // valid outputs are those of the last group
);
    sc_folded #(
        .N_IN(11), .SIMD(4), .PE(2), .BITS(8), .BIAS(1),
        .COUNT(5), .SEQUENCE(8),
        .ROWS(64'b11111111_10101010_11001100_10001000_11110000_10100000_11000000_10000000),
        .SHIFT(8'b00001111),
        .WORD(16), .FRACTION(9), .LEAK(1), .LEAK_SHIFT(3),
        .THRESHOLD(1280), .RESET(0), .SUBTRACT(0), .REFRACTORY(1), .REST(1),
        .COLUMNS(3), .GROUPS(3),
        .COLUMN(2), .GROUP(2), .ADDRESS(4),
        .WEIGHTS("little_layer0")
    ) u_folded (
        .clk(clk), .clear(clear), .step(step), .x_read(x_read), .x_address(x_address), .x_word(x_word),
        .valid(valid), .group(group), .spike(spike), .v(v), .done(done)
    );
endmodule

`default_nettype wire
