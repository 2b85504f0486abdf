// One time step of a fixed-point synaptic current, combinational:
//   i_next = clamp(i - (i * LEAK >>> LEAK_SHIFT) + (count << FRACTION))
// The potential grows by drive = i_next >>> DROP.
module sc_synapse #(
    parameter WORD = 16,                     // bits of a current, two's complement
    parameter COUNT = 5,                     // bits of the signed count
    parameter FRACTION = 4,
    parameter LEAK = 1, parameter LEAK_SHIFT = 2,
    parameter LEAK_OWN = 0,                  // bits of a leak that comes with `own`; 0: LEAK
    parameter OWN = 1,                       // bits of `own`
    parameter DROP = 0
) (
    input wire signed [WORD-1:0] i,
    input wire signed [COUNT-1:0] count,
    /* verilator lint_off UNUSEDSIGNAL */ // unused if all neurons have the same leak
    input wire [OWN-1:0] own,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire signed [WORD-1:0] i_next,
    output wire signed [WORD-1:0] drive
);
    localparam SUM = ((COUNT + FRACTION > WORD) ? COUNT + FRACTION : WORD) + 1;
    localparam signed [WORD-1:0] LEAST = {1'b1, {(WORD-1){1'b0}}}, MOST = ~LEAST;
    localparam FACTOR = (LEAK_OWN != 0 ? LEAK_OWN : $clog2(LEAK + 1)) + 1;  // with a sign bit
    localparam PRODUCT = (WORD + FACTOR > SUM) ? WORD + FACTOR : SUM;
    wire signed [PRODUCT-1:0] product;
    generate
        if (LEAK_OWN == 0) begin : g_product
            assign product = i * $signed(LEAK[FACTOR-1:0]);
        end else begin : g_product
            assign product = i * $signed({1'b0, own[FACTOR-2:0]});
        end
    endgenerate
    /* verilator lint_off UNUSEDSIGNAL */ // lost is at most i: upper bits repeat the sign
    wire signed [PRODUCT-1:0] lost = product >>> LEAK_SHIFT;
    /* verilator lint_on UNUSEDSIGNAL */
    wire signed [SUM-1:0] sum = {{(SUM-WORD){i[WORD-1]}}, i} - lost[SUM-1:0]
        + ({{(SUM-COUNT){count[COUNT-1]}}, count} <<< FRACTION);
    wire outside = sum[SUM-1:WORD-1] != {(SUM-WORD+1){sum[SUM-1]}};
    assign i_next = !outside ? sum[WORD-1:0] : sum[SUM-1] ? LEAST : MOST;
    assign drive = i_next >>> DROP;
endmodule
