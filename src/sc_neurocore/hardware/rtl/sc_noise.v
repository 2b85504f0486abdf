// Noise of PE neurons of a folded layer: (2 h - COINS) << SHIFT, where h is the number of ones among COINS bits. Each neuron
// takes 24 new bits of a shift register, b[m] = b[m - 31] ^ b[m - 28], of which the first COINS are used.
module sc_noise #(
    parameter PE = 1,
    parameter COINS = 24, parameter SHIFT = 0,
    parameter NOISE = 6,                     // bits of the noise, two's complement
    parameter [30:0] START = 1
) (
    input wire clk,
    input wire clear,                        // begins an image
    input wire next,                         // the noise of the next group of neurons, one clock cycle later
    output reg [PE*NOISE-1:0] noise
);
    reg [30:0] state;                        // bit i was shifted in before bit i + 1
    reg [30:0] later;
    reg [PE*NOISE-1:0] each;
    reg [NOISE-1:0] sum;
    integer p, i;
    always @* begin
        later = state;
        each = {(PE*NOISE){1'b0}};
        for (p = 0; p < PE; p = p + 1) begin
            sum = {NOISE{1'b0}} - COINS[NOISE-1:0];
            for (i = 0; i < COINS; i = i + 1) sum = sum + {{(NOISE-2){1'b0}}, later[i], 1'b0};
            each[p*NOISE +: NOISE] = sum << SHIFT;
            later = {later[23:0] ^ later[26:3], later[30:24]};
        end
    end
    always @(posedge clk) begin
        if (clear) state <= START;
        else if (next) state <= later;
        if (next) noise <= each;
    end
endmodule
