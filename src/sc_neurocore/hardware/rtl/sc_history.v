// Spike memory of one source of a layer, which also keeps the spikes of earlier passes. Collects PE
// spikes per clock cycle into words of SIMD: the words of a patch of the source lie STRIDE apart. With
// DOUBLE, the source is a pass ahead of the reader.
module sc_history #(
    parameter PE = 1, parameter SIMD = 8,    // PE divides SIMD
    parameter WORDS = 4, parameter STRIDE = 1, parameter ADDRESS = 2,
    parameter SLOTS = 1,                     // passes that are kept, a power of two
    parameter BACK = 1,                      // bits of `back`
    parameter DOUBLE = 0
) (
    input wire clk,
    input wire clear,
    input wire valid,
    input wire ends,                         // with the last spikes of a patch
    input wire done,                         // with the last spikes of a pass
    input wire [PE-1:0] spike,
    /* verilator lint_off UNUSEDSIGNAL */
    input wire reader_done,                  // the reader has done a pass
    /* verilator lint_on UNUSEDSIGNAL */
    input wire x_read,
    /* verilator lint_off UNUSEDSIGNAL */ // other memories of the layer may have more words
    input wire [ADDRESS-1:0] x_address,
    input wire [BACK-1:0] back,              // 1: the last pass that is done, 2: the one before
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [SIMD-1:0] x_word            // 0 before the first pass
);
    reg [SIMD-1:0] word, place;              // place: one-hot position of the next spikes
    reg [ADDRESS-1:0] column, patch;
    integer k;
    reg [SIMD-1:0] grown;
    always @* begin
        grown = place[0] ? {SIMD{1'b0}} : word;
        for (k = 0; k < SIMD; k = k + 1)
            if (place[k/PE*PE]) grown[k] = spike[k%PE];
    end
    wire full = place[SIMD-PE] || ends;
    wire [ADDRESS-1:0] next = patch + 1'b1;
    always @(posedge clk) begin
        if (clear || (valid && full)) place <= {{(SIMD-1){1'b0}}, 1'b1};
        else if (valid) place <= place << (SIMD == PE ? 0 : PE);
        if (clear || (valid && done)) begin
            column <= {ADDRESS{1'b0}};
            patch <= {ADDRESS{1'b0}};
        end else if (valid && ends) begin
            column <= next;
            patch <= next;
        end else if (valid && full) column <= column + STRIDE[ADDRESS-1:0];
        if (valid) word <= grown;
    end

    generate
        if (SLOTS == 1) begin : g_slots
            localparam INDEX = (WORDS == 1) ? 1 : $clog2(WORDS);
            reg [SIMD-1:0] words [0:WORDS-1];
            reg [SIMD-1:0] read;
            always @(posedge clk) begin
                if (valid && full) words[column[INDEX-1:0]] <= grown;
                if (x_read) read <= words[x_address[INDEX-1:0]];
            end
            assign x_word = read;
        end else begin : g_slots
            localparam SLOT = $clog2(SLOTS);
            localparam integer FIRST = DOUBLE;   // the reader begins after the first pass
            reg [SIMD-1:0] words [0:(SLOTS<<ADDRESS)-1];
            reg [SIMD-1:0] read;
            reg [SLOT-1:0] slot;
            reg [BACK-1:0] kept;             // passes that are done, at most the largest `back`
            reg arrived;
            wire [SLOT-1:0] passes;          // of the source, as the reader counts them
            wire [SLOT-1:0] from = passes - back[SLOT-1:0];
            wire counts = (DOUBLE != 0) ? reader_done : valid && done;
            always @(posedge clk) begin
                if (valid && full) words[{slot, column}] <= grown;
                if (x_read) read <= words[{from, x_address}];
                if (clear) begin
                    slot <= {SLOT{1'b0}};
                    kept <= FIRST[BACK-1:0];
                end else begin
                    if (valid && done) slot <= slot + 1'b1;
                    if (counts && kept != {BACK{1'b1}}) kept <= kept + 1'b1;
                end
                arrived <= back <= kept;
            end
            if (DOUBLE == 0) begin : g_passes
                assign passes = slot;
            end else begin : g_passes
                reg [SLOT-1:0] of_reader;
                always @(posedge clk)
                    if (clear) of_reader <= FIRST[SLOT-1:0];
                    else if (reader_done) of_reader <= of_reader + 1'b1;
                assign passes = of_reader;
            end
            assign x_word = arrived ? read : {SIMD{1'b0}};
        end
    endgenerate
endmodule
