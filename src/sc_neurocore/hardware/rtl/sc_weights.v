`ifdef SC_LOADABLE
// Weight memory that can be written; a word follows its address by one clock cycle, if it is read, and is held until
`else
// Read-only weight memory; a word follows its address by one clock cycle, if it is read, and is held until
`endif
// the next one. A deep memory is split at the largest power of two, and so is its remainder, so that block
// memories fit without wide output multiplexers; only the part that has the word is read.
module sc_weights #(
    parameter DEPTH = 256, parameter WIDTH = 72, parameter ADDRESS = 8,
    parameter FILE = "",                     // part 0 is the file {FILE, "_0.hex"}
    parameter [7:0] PART = 0
) (
    input wire clk,
    input wire read,
    input wire [ADDRESS-1:0] address,
`ifdef SC_LOADABLE
    input wire load,                         // writes a word; none is read in this clock cycle
    input wire [ADDRESS-1:0] load_address,
    input wire [WIDTH-1:0] load_word,
`endif
    output wire [WIDTH-1:0] word
);
    localparam POWER = 1 << ($clog2(DEPTH + 1) - 1);
    localparam BANK = (DEPTH < 2048 && PART == 0) ? DEPTH : POWER, LEFT = DEPTH - BANK;
    localparam BITS = (BANK == 1) ? 1 : $clog2(BANK);
    (* ram_style = "block" *) reg [WIDTH-1:0] bank [0:BANK-1];
    initial if (FILE != "") $readmemh({FILE, "_", 8'd48 + PART, ".hex"}, bank);
    reg [WIDTH-1:0] of_bank;
    wire read_bank;
`ifdef SC_LOADABLE
    wire here;                               // the word to be written is one of this bank
    always @(posedge clk)
        if (load) begin                      // not if it is unknown, before the first reset
            if (here) bank[load_address[BITS-1:0]] <= load_word;
        end else if (read_bank) of_bank <= bank[address[BITS-1:0]];
`else
    always @(posedge clk) if (read_bank) of_bank <= bank[address[BITS-1:0]];
`endif

    generate
        if (LEFT == 0) begin : g_left
            assign read_bank = read;
            assign word = of_bank;
`ifdef SC_LOADABLE
            assign here = 1'b1;
`endif
        end else begin : g_left
            localparam LESS = (LEFT == 1) ? 1 : $clog2(LEFT);
            wire [WIDTH-1:0] of_left;
            reg beyond;
            assign read_bank = read && !address[ADDRESS-1];
            always @(posedge clk) if (read) beyond <= address[ADDRESS-1];
            sc_weights #(.DEPTH(LEFT), .WIDTH(WIDTH), .ADDRESS(LESS), .FILE(FILE), .PART(PART + 8'd1)) u_left (
`ifdef SC_LOADABLE
                .load(load && !here), .load_address(load_address[LESS-1:0]), .load_word(load_word),
`endif
                .clk(clk), .read(read && address[ADDRESS-1]), .address(address[LESS-1:0]), .word(of_left)
            );
`ifdef SC_LOADABLE
            assign here = !load_address[ADDRESS-1];
`endif
            assign word = beyond ? of_left : of_bank;
        end
    endgenerate
endmodule
