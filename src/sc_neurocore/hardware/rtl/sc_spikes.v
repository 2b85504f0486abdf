// Spike memory between folded layers: collects PE spikes per clock cycle into words of SIMD. With DOUBLE,
// passes are written to the halves of the memory in turn, which the upper address bit chooses.
module sc_spikes #(
    parameter PE = 1, parameter SIMD = 8,    // PE divides SIMD
    parameter COLUMNS = 4, parameter COLUMN = 2,
    parameter DOUBLE = 0
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire done,                         // with the last spikes of a pass
    input wire [PE-1:0] spike,
    input wire x_read,
    input wire [COLUMN-1:0] x_address,
    output reg [SIMD-1:0] x_word
);
    localparam WORDS = (DOUBLE != 0) ? 1 << COLUMN : COLUMNS;
    localparam [COLUMN-1:0] HALF = (DOUBLE != 0) ? 1 << (COLUMN - 1) : 0;
    reg [SIMD-1:0] words [0:WORDS-1];
    reg [SIMD-1:0] word, place;              // place: one-hot position of the next spikes
    reg [COLUMN-1:0] column;
    integer k;
    reg [SIMD-1:0] grown;
    always @* begin
        grown = place[0] ? {SIMD{1'b0}} : word;
        for (k = 0; k < SIMD; k = k + 1)
            if (place[k/PE*PE]) grown[k] = spike[k%PE];
    end
    wire ends = place[SIMD-PE] || done;
    always @(posedge clk) begin
        if (clear || (valid && ends)) place <= {{(SIMD-1){1'b0}}, 1'b1};
        else if (valid) place <= place << (SIMD == PE ? 0 : PE);
        if (clear) column <= {COLUMN{1'b0}};
        else if (valid && done) column <= ~column & HALF;
        else if (valid && ends) column <= column + 1'b1;
        if (valid) word <= grown;
        if (valid && ends) words[column] <= grown;
        if (x_read) x_word <= words[x_address];
    end
endmodule
