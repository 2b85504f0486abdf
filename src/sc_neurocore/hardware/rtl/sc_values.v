// Image memory of a layer that takes numbers. Values arrive one per clock cycle and are stored SIMD per word.
module sc_values #(
    parameter N_IN = 64, parameter SIMD = 8, parameter BITS = 8,
    parameter ADDRESS = 3,                   // bits of a word address
    parameter DOUBLE = 0                     // 1: two images, as in sc_image
) (
    input wire clk,
    input wire rst,
    input wire drop,                         // the values of an image that is not whole are dropped
    input wire take,
    input wire [BITS-1:0] value,
    input wire x_read,
    /* verilator lint_off UNUSEDSIGNAL */    // addresses outside the image are not used
    input wire [ADDRESS-1:0] x_address,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg [SIMD*BITS-1:0] x_word        // one clock cycle after its address
);
    localparam integer LAST = (N_IN - 1) / SIMD, LAST_LANE = (N_IN - 1) % SIMD;
    localparam INDEX = (DOUBLE != 0) ? ADDRESS : (LAST == 0) ? 1 : $clog2(LAST + 1);
    localparam WORDS = (DOUBLE != 0) ? 1 << ADDRESS : LAST + 1;
    localparam [INDEX-1:0] HALF = (DOUBLE != 0) ? 1 << (INDEX - 1) : 0;
    (* no_rw_check *) reg [SIMD*BITS-1:0] values [0:WORDS-1];
    reg [INDEX-1:0] column;
    reg [SIMD-1:0] place;                    // one-hot position of the next value
    wire image_ends = place[LAST_LANE] && (column & ~HALF) == LAST[INDEX-1:0];
    wire word_ends = place[SIMD-1] || image_ends;
    integer i;
    always @(posedge clk)
        if (rst) begin
            place <= {{(SIMD-1){1'b0}}, 1'b1};
            column <= {INDEX{1'b0}};
        end else begin
            if (drop || (take && word_ends)) place <= {{(SIMD-1){1'b0}}, 1'b1};
            else if (take) place <= place << (SIMD == 1 ? 0 : 1);
            if (drop) column <= column & HALF;
            else if (take && image_ends) column <= ~column & HALF;
            else if (take && word_ends) column <= column + 1'b1;
        end
    always @(posedge clk) begin
        for (i = 0; i < SIMD; i = i + 1)
            if (take && place[i]) values[column][i*BITS +: BITS] <= value;
        if (x_read) x_word <= values[x_address[INDEX-1:0]];
    end
endmodule
