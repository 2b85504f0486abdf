// Image memory of a folded design. Values arrive one per clock cycle and are stored SIMD per word.
// When a word is read, each value is compared with the number of the current time step, which is the
// same for all of them, or with its own rotation of a register. With SPARSE, words of zeros are not read.
module sc_image #(
    parameter N_IN = 64, parameter SIMD = 8, parameter BITS = 8,
    parameter COLUMN = 3,                    // bits of a word address
    parameter SPARSE = 0,
    parameter DOUBLE = 0,                    // 1: two images, in halves that the upper address bit chooses
    parameter SEQUENCE = 8, parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    /* verilator lint_off UNUSEDPARAM */
    parameter REGISTER = 0,                  // bits of a register that is read rotated, instead
    parameter [15:0] FEEDBACK = 0, parameter [15:0] START = 0
    /* verilator lint_on UNUSEDPARAM */
) (
    input wire clk,
    input wire rst,
    input wire drop,                         // the values of an image that is not whole are dropped
    input wire take,
    input wire [BITS-1:0] value,
    input wire clear,
    input wire next,                         // advances to the number of the next step
    input wire x_read,
    /* verilator lint_off UNUSEDSIGNAL */    // a bias in a word of its own follows the image
    input wire [COLUMN-1:0] x_address,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [SIMD-1:0] x_word
);
    localparam WORDS = (DOUBLE != 0) ? 1 << COLUMN : (N_IN - 1) / SIMD + 1;
    localparam [COLUMN-1:0] HALF = (DOUBLE != 0) ? 1 << (COLUMN - 1) : 0;
    localparam INDEX = (WORDS == 1) ? 1 : $clog2(WORDS);
    reg [SIMD*BITS-1:0] values [0:WORDS-1];
    reg [SIMD*BITS-1:0] word, read;
    reg [COLUMN-1:0] column;
    localparam integer LAST = (N_IN - 1) / SIMD, LAST_LANE = (N_IN - 1) % SIMD;
    reg [SIMD-1:0] place;                    // one-hot position of the next value
    wire image_ends = place[LAST_LANE] && (column & ~HALF) == LAST[COLUMN-1:0];
    wire word_ends = place[SIMD-1] || image_ends;
    reg [SIMD*BITS-1:0] grown;
    wire reads, active;                      // active: the word that was read has a value above 0
    integer i;
    always @* begin
        grown = (SPARSE != 0 && place[0]) ? {(SIMD*BITS){1'b0}} : word;
        for (i = 0; i < SIMD; i = i + 1) if (place[i]) grown[i*BITS +: BITS] = value;
    end
    always @(posedge clk)
        if (rst) begin
            place <= {{(SIMD-1){1'b0}}, 1'b1};
            column <= {COLUMN{1'b0}};
        end else begin
            if (drop || (take && word_ends)) place <= {{(SIMD-1){1'b0}}, 1'b1};
            else if (take) place <= place << (SIMD == 1 ? 0 : 1);
            if (drop) column <= column & HALF;
            else if (take && image_ends) column <= ~column & HALF;
            else if (take && word_ends) column <= column + 1'b1;
        end
    always @(posedge clk) begin
        if (take) word <= grown;
        if (take && word_ends) values[column[INDEX-1:0]] <= grown;
        if (reads) read <= values[x_address[INDEX-1:0]];
    end

    generate
        if (SPARSE == 0) begin : g_sparse
            assign reads = x_read;
            assign active = 1'b1;
        end else begin : g_sparse
            reg actives [0:WORDS-1];
            reg of_word;
            always @(posedge clk) begin
                if (take && word_ends) actives[column[INDEX-1:0]] <= grown != 0;
                of_word <= actives[x_address[INDEX-1:0]];
            end
            assign reads = x_read && actives[x_address[INDEX-1:0]];
            assign active = of_word;
        end
    endgenerate

    wire [SIMD*BITS-1:0] numbers;
    genvar k;
    generate
        if (REGISTER == 0) begin : g_numbers
            wire [BITS-1:0] number;
            sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
                .clk(clk), .clear(clear), .step(next), .number(number)
            );
            assign numbers = {SIMD{number}};
        end else begin : g_numbers
            reg [COLUMN-1:0] column_read;
            always @(posedge clk) column_read <= x_address & ~HALF;
            sc_rotated #(
                .WIDTH(REGISTER), .BITS(BITS), .FEEDBACK(FEEDBACK[REGISTER-1:0]),
                .START(START[REGISTER-1:0]), .LANES(SIMD), .COLUMN(COLUMN)
            ) u_rotated (
                .clk(clk), .clear(clear), .step(next), .column(column_read), .numbers(numbers)
            );
        end
        for (k = 0; k < SIMD; k = k + 1) begin : g_lane
            assign x_word[k] = active && numbers[k*BITS +: BITS] < read[k*BITS +: BITS];
        end
    endgenerate
endmodule
