// Numbers from one shift register of maximal length (LFSR) for LANES inputs, which read it rotated: lane
// i = column * LANES + k reads rotate_left(state, i % WIDTH) ^ i / WIDTH * 16'h9e37.
module sc_rotated #(
    parameter WIDTH = 16,                    // bits of the register, a power of two
    parameter BITS = 8,                      // leading bits of a number that are compared
    parameter [WIDTH-1:0] FEEDBACK = 16'h002d,     // bits whose parity is shifted in
    parameter [WIDTH-1:0] START = 1,
    parameter LANES = 8,
    parameter COLUMN = 1                     // bits of a column
) (
    input wire clk,
    input wire clear,
    input wire step,
    input wire [COLUMN-1:0] column,
    output wire [LANES*BITS-1:0] numbers
);
    reg [WIDTH-1:0] state;
    always @(posedge clk)
        if (clear) state <= START;
        else if (step) state <= {^(state & FEEDBACK), state[WIDTH-1:1]};

    localparam TURN = $clog2(WIDTH), LANE = COLUMN + $clog2(LANES + 1) + TURN;
    wire [2*WIDTH-1:0] twice = {state, state};
    genvar k;
    generate
        for (k = 0; k < LANES; k = k + 1) begin : g_lane
            wire [LANE-1:0] lane = {{(LANE-COLUMN){1'b0}}, column} * LANES[LANE-1:0] + k[LANE-1:0];
            /* verilator lint_off UNUSEDSIGNAL */ // the bits of a number that are not compared
            wire [WIDTH-1:0] rotated = twice[WIDTH - lane[TURN-1:0] +: WIDTH];
            wire [31:0] spread = {{(32-LANE){1'b0}}, lane >> TURN} * 32'h9e37;
            wire [WIDTH-1:0] number = rotated ^ spread[WIDTH-1:0];
            /* verilator lint_on UNUSEDSIGNAL */
            assign numbers[k*BITS +: BITS] = number[WIDTH-1 -: BITS];
        end
    endgenerate
endmodule
