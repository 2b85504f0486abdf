// Addresses of the inputs of a layer. A table lists the words that each neuron reads, in the order of
// its weights: {source, passes back, row, column, offset} of each. Neurons of a convolution read them
// relative to their patch, and 0 outside the image.
module sc_reads #(
    parameter COLUMN = 3, parameter ADDRESS = 3,
    parameter COLUMNS = 8,
    parameter FROM = 1, parameter BACK = 1, parameter ROW = 1, parameter COL = 1,  // bits of an entry
    parameter TABLE = "",
    parameter PATCHES = 1,                   // patches; 1 for a layer that is not a convolution
    parameter ACROSS = 1,                    // patches in a row
    parameter AT = 1,                        // bits of a row or column of the image, with a sign
    parameter HEIGHT = 1, parameter WIDTH = 1, parameter STRIDE = 1, parameter PADDING = 0
) (
    input wire clk,
    /* verilator lint_off UNUSEDSIGNAL */    // unused without patches
    input wire clear,
    input wire [COLUMN-1:0] next_column,     // number of the read in the next clock cycle
    input wire next_patch,                   // it belongs to the next patch
    input wire restart,                      // it belongs to the first patch
    /* verilator lint_on UNUSEDSIGNAL */
    input wire [ADDRESS-1:0] word,           // added to the address
    output wire [ADDRESS-1:0] address,
    output wire [BACK-1:0] back,
    output reg [FROM-1:0] from,              // with the word that was read
    output reg in_image
);
    localparam ENTRY = FROM + BACK + ROW + COL + ADDRESS;
    reg [ENTRY-1:0] entries [0:COLUMNS-1];
    initial $readmemh(TABLE, entries);
    /* verilator lint_off UNUSEDSIGNAL */    // rows and columns are unused without padding
    reg [ENTRY-1:0] entry;
    /* verilator lint_on UNUSEDSIGNAL */
    always @(posedge clk) entry <= entries[next_column];
    assign back = entry[ADDRESS+COL+ROW +: BACK];

    generate
        if (PATCHES == 1 && PADDING == 0) begin : g_patch
            assign address = entry[ADDRESS-1:0] + word;
            always @(posedge clk) in_image <= 1'b1;
        end else begin : g_patch
            localparam integer LAST = ACROSS - 1, FIRST = -PADDING;
            localparam integer BASE = -PADDING * WIDTH - PADDING, DOWN = STRIDE * WIDTH;
            localparam INDEX = (ACROSS == 1) ? 1 : $clog2(ACROSS);
            reg [ADDRESS-1:0] base, base_of_row;
            reg signed [AT-1:0] row, col;
            reg [INDEX-1:0] index;
            wire [ADDRESS-1:0] base_below = base_of_row + DOWN[ADDRESS-1:0];
            always @(posedge clk)
                if (clear || restart) begin
                    base <= BASE[ADDRESS-1:0];
                    base_of_row <= BASE[ADDRESS-1:0];
                    row <= FIRST[AT-1:0];
                    col <= FIRST[AT-1:0];
                    index <= {INDEX{1'b0}};
                end else if (next_patch && index == LAST[INDEX-1:0]) begin
                    base <= base_below;
                    base_of_row <= base_below;
                    row <= row + STRIDE[AT-1:0];
                    col <= FIRST[AT-1:0];
                    index <= {INDEX{1'b0}};
                end else if (next_patch) begin
                    base <= base + STRIDE[ADDRESS-1:0];
                    col <= col + STRIDE[AT-1:0];
                    index <= index + 1'b1;
                end
            assign address = base + entry[ADDRESS-1:0] + word;
            if (PADDING == 0) begin : g_inside
                always @(posedge clk) in_image <= 1'b1;
            end else begin : g_inside
                wire signed [AT-1:0] y = row + $signed({{(AT-ROW){1'b0}}, entry[ADDRESS+COL +: ROW]});
                wire signed [AT-1:0] x = col + $signed({{(AT-COL){1'b0}}, entry[ADDRESS +: COL]});
                always @(posedge clk)
                    in_image <= y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
            end
        end
    endgenerate
    always @(posedge clk) from <= entry[ADDRESS+COL+ROW+BACK +: FROM];
endmodule
