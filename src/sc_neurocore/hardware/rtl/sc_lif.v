// One step of a leaky integrate-and-fire neuron in fixed point; no registers.
//   n = clamp(v - (v * LEAK >>> LEAK_SHIFT) + (count << FRACTION))
//   awake:   a spike where n >= THRESHOLD, then v = RESET, or n less what lies between; else v = n
//   resting: v holds, the count is lost
module sc_lif #(
    parameter WORD = 16,                     // bits of a potential, two's complement
    parameter COUNT = 5,                     // bits of the signed count
    parameter FRACTION = 4,
    parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024,              // 2**(WORD-1): it never fires
    parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1   // steps of rest, bits that count them
) (
    input wire signed [WORD-1:0] v,
    input wire [REST-1:0] rest,
    input wire signed [COUNT-1:0] count,
    output wire spike,
    output wire signed [WORD-1:0] v_next,
    output wire [REST-1:0] rest_next
);
    localparam SUM = ((COUNT + FRACTION > WORD) ? COUNT + FRACTION : WORD) + 1;
    localparam signed [WORD-1:0] LEAST = {1'b1, {(WORD-1){1'b0}}}, MOST = ~LEAST;
    localparam FIRES = THRESHOLD < (1 << (WORD - 1));
    /* verilator lint_off WIDTHTRUNC */ // a negative threshold: its upper bits repeat the sign
    localparam signed [SUM:0] TO_FIRE = THRESHOLD;
    /* verilator lint_on WIDTHTRUNC */
    localparam integer TO_DROP = THRESHOLD - RESET;

    wire signed [SUM-1:0] kept;
    generate
        if (LEAK == 0) begin : g_leak
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v};
        end else begin : g_leak
            localparam FACTOR = $clog2(LEAK + 1) + 1;  // bits of LEAK with a sign
            localparam PRODUCT = (WORD + FACTOR > SUM) ? WORD + FACTOR : SUM;
            wire signed [PRODUCT-1:0] product = v * $signed(LEAK[FACTOR-1:0]);
            /* verilator lint_off UNUSEDSIGNAL */ // what is lost is no more than v: bits above repeat its sign
            wire signed [PRODUCT-1:0] lost = product >>> LEAK_SHIFT;
            /* verilator lint_on UNUSEDSIGNAL */
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v} - lost[SUM-1:0];
        end
    endgenerate

    wire signed [SUM-1:0] drive = {{(SUM-COUNT){count[COUNT-1]}}, count} <<< FRACTION;
    wire signed [SUM-1:0] sum = kept + drive;
    wire signed [SUM:0] margin = kept + (drive - TO_FIRE);  // beside the sum, not after it
    wire negative = sum[SUM-1];
    wire outside = sum[SUM-1:WORD-1] != {(SUM-WORD+1){negative}};

    wire awake = rest == 0;
    assign spike = FIRES && awake && !margin[SUM];
    // Above the word a neuron fires: only one that never does is cut there.
    wire signed [WORD-1:0] n = !outside || (FIRES && !negative) ? sum[WORD-1:0] : negative ? LEAST : MOST;
    wire signed [WORD-1:0] at_most = outside ? MOST : sum[WORD-1:0];
    wire signed [WORD-1:0] fallen = (SUBTRACT != 0) ? at_most - TO_DROP[WORD-1:0] : RESET[WORD-1:0];
    assign v_next = spike ? fallen : awake ? n : v;
    assign rest_next = spike ? REFRACTORY[REST-1:0] : awake ? {REST{1'b0}} : rest - 1'b1;
endmodule
