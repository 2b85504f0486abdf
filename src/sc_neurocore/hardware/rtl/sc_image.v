// Image memory of a folded design. Values arrive one per clock cycle and are stored SIMD per word.
// When a word is read, each value is compared with the number of the current time step.
module sc_image #(
    parameter N_IN = 64, parameter SIMD = 8, parameter BITS = 8,
    parameter COLUMN = 3,                    // bits of a word address
    parameter SEQUENCE = 8, parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0
) (
    input wire clk,
    input wire rst,
    input wire take,
    input wire [BITS-1:0] value,
    input wire clear,
    input wire next,                         // advances to the number of the next step
    input wire [COLUMN-1:0] x_address,
    output wire [SIMD-1:0] x_word
);
    reg [SIMD*BITS-1:0] values [0:(N_IN-1)/SIMD];
    reg [SIMD*BITS-1:0] word, read;
    reg [COLUMN-1:0] column;
    localparam integer LAST = (N_IN - 1) / SIMD, LAST_LANE = (N_IN - 1) % SIMD;
    reg [SIMD-1:0] place;                    // one-hot position of the next value
    wire image_ends = place[LAST_LANE] && column == LAST[COLUMN-1:0];
    wire word_ends = place[SIMD-1] || image_ends;
    reg [SIMD*BITS-1:0] grown;
    integer i;
    always @* begin
        grown = word;
        for (i = 0; i < SIMD; i = i + 1) if (place[i]) grown[i*BITS +: BITS] = value;
    end
    always @(posedge clk) begin
        if (take) word <= grown;
        if (take && word_ends) values[column] <= grown;
        if (rst || (take && word_ends)) place <= {{(SIMD-1){1'b0}}, 1'b1};
        else if (take) place <= place << 1;
        if (rst || (take && image_ends)) column <= {COLUMN{1'b0}};
        else if (take && word_ends) column <= column + 1'b1;
        read <= values[x_address];
    end

    wire [BITS-1:0] number;
    sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
        .clk(clk), .clear(clear), .step(next), .number(number)
    );
    genvar k;
    generate
        for (k = 0; k < SIMD; k = k + 1) begin : g_lane
            assign x_word[k] = number < read[k*BITS +: BITS];
        end
    endgenerate
endmodule
