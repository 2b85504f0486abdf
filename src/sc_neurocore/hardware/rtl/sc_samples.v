// Image memory of a folded design, as sc_image, for steps of several bits and for delays: each value
// is compared with the number of bit `sub` of the time step `back` steps ago, and 0 before the first.
module sc_samples #(
    parameter N_IN = 64, parameter SIMD = 8, parameter BITS = 8,
    parameter COLUMN = 3,                    // bits of a word address
    parameter SEQUENCE = 8, parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    parameter DOUBLE = 0,                    // 1: two images, as in sc_image
    parameter SUB = 0, parameter BIT = 1,    // a step has 2**SUB bits; bits of the number of one
    parameter BACK = 1                       // bits of `back`
) (
    input wire clk,
    input wire rst,
    input wire drop,                         // the values of an image that is not whole are dropped
    input wire take,
    input wire [BITS-1:0] value,
    input wire clear,
    input wire next,                         // advances to the next step
    input wire x_read,
    /* verilator lint_off UNUSEDSIGNAL */    // other memories of the layer may have more words
    input wire [COLUMN-1:0] x_address,
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [BACK-1:0] back,              // with the address
    input wire [BIT-1:0] sub,                // with the word
    output wire [SIMD-1:0] x_word
);
    reg [SIMD*BITS-1:0] word, read;
    localparam INDEX = (DOUBLE != 0) ? COLUMN : (N_IN <= SIMD) ? 1 : $clog2((N_IN - 1) / SIMD + 1);
    localparam WORDS = (DOUBLE != 0) ? 1 << COLUMN : (N_IN - 1) / SIMD + 1;
    localparam [COLUMN-1:0] HALF = (DOUBLE != 0) ? 1 << (COLUMN - 1) : 0;
    reg [SIMD*BITS-1:0] values [0:WORDS-1];
    reg [COLUMN-1:0] column;
    localparam integer LAST = (N_IN - 1) / SIMD, LAST_LANE = (N_IN - 1) % SIMD;
    reg [SIMD-1:0] place;                    // one-hot position of the next value
    wire image_ends = place[LAST_LANE] && (column & ~HALF) == LAST[COLUMN-1:0];
    wire word_ends = place[SIMD-1] || image_ends;
    reg [SIMD*BITS-1:0] grown;
    integer i;
    always @* begin
        grown = word;
        for (i = 0; i < SIMD; i = i + 1) if (place[i]) grown[i*BITS +: BITS] = value;
    end
    reg [SEQUENCE-1:0] t;                    // time steps, and as many of them as `back` can tell
    reg [BACK-1:0] done, back_read;
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
        if (x_read) read <= values[x_address[INDEX-1:0]];
        back_read <= back;
        if (clear) begin
            t <= {SEQUENCE{1'b0}};
            done <= {BACK{1'b0}};
        end else if (next) begin
            t <= t + 1'b1;
            if (done != {BACK{1'b1}}) done <= done + 1'b1;
        end
    end

    /* verilator lint_off WIDTH */           // the counter may have fewer bits than the number of a bit
    wire [SEQUENCE-1:0] at = ((t - back_read) << SUB) | ((SUB == 0) ? 0 : sub);
    /* verilator lint_on WIDTH */
    wire [BITS-1:0] number;
    sc_number #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_number (
        .t(at), .number(number)
    );
    genvar k;
    generate
        for (k = 0; k < SIMD; k = k + 1) begin : g_lane
            assign x_word[k] = back_read <= done && number < read[k*BITS +: BITS];
        end
    endgenerate
endmodule
