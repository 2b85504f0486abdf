// One time step of a fixed-point leaky integrate-and-fire neuron, combinational:
//   n = clamp(v - (v * LEAK >>> LEAK_SHIFT) + (count << FRACTION))
// Outside the refractory period: if n >= THRESHOLD, the neuron spikes and v becomes RESET, or with
// SUBTRACT = 1, n - (THRESHOLD - RESET); otherwise v becomes n.
// In the refractory period: v is held and count is ignored.
// Parameters that differ between neurons come with `own`: {refractory, reset, threshold, leak}, each if
// it is OWN.
module sc_lif #(
    parameter WORD = 16,                     // bits of a potential, two's complement
    parameter COUNT = 5,                     // bits of the signed count
    parameter FRACTION = 4,
    parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024,              // 2**(WORD-1): never fires
    parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,  // refractory steps, bits of their counter
    parameter LEAK_OWN = 0,                  // bits of the leak in `own`
    parameter LEVELS_OWN = 0,                // 1: threshold, of WORD + 1 bits, and reset are in `own`
    parameter REST_OWN = 0,                  // 1: the refractory period is in `own`
    parameter OWN = 1                        // bits of `own`
) (
    input wire signed [WORD-1:0] v,
    input wire [REST-1:0] rest,
    input wire signed [COUNT-1:0] count,
    /* verilator lint_off UNUSEDSIGNAL */ // unused if all neurons have the same parameters
    input wire [OWN-1:0] own,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire spike,
    output wire signed [WORD-1:0] v_next,
    output wire [REST-1:0] rest_next
);
    localparam SUM = ((COUNT + FRACTION > WORD) ? COUNT + FRACTION : WORD) + 1;
    localparam signed [WORD-1:0] LEAST = {1'b1, {(WORD-1){1'b0}}}, MOST = ~LEAST;
    localparam FIRES = LEVELS_OWN != 0 || THRESHOLD < (1 << (WORD - 1));
    /* verilator lint_off WIDTHTRUNC */ // upper bits of a negative threshold repeat its sign
    localparam signed [SUM:0] TO_FIRE = THRESHOLD;
    /* verilator lint_on WIDTHTRUNC */
    localparam integer TO_DROP = THRESHOLD - RESET;

    wire signed [SUM:0] to_fire;
    wire [WORD-1:0] to_drop, to_reset;
    wire [REST-1:0] period;
    wire fires;
    generate
        if (LEVELS_OWN == 0) begin : g_levels
            assign to_fire = TO_FIRE;
            assign to_drop = TO_DROP[WORD-1:0];
            assign to_reset = RESET[WORD-1:0];
            assign fires = FIRES;
        end else begin : g_levels
            wire [WORD:0] threshold = own[LEAK_OWN +: WORD+1];
            assign to_fire = {{(SUM-WORD){threshold[WORD]}}, threshold};
            assign to_drop = threshold[WORD-1:0] - to_reset;
            assign to_reset = own[LEAK_OWN+WORD+1 +: WORD];
            assign fires = threshold[WORD] == threshold[WORD-1];  // 2**(WORD-1) has other bits
        end
        if (REST_OWN == 0) begin : g_period
            assign period = REFRACTORY[REST-1:0];
        end else begin : g_period
            assign period = own[LEAK_OWN+(LEVELS_OWN != 0 ? 2*WORD+1 : 0) +: REST];
        end
    endgenerate

    wire signed [SUM-1:0] kept;
    generate
        if (LEAK_OWN == 0 && LEAK == 0) begin : g_leak
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v};
        end else begin : g_leak
            localparam FACTOR = (LEAK_OWN != 0 ? LEAK_OWN : $clog2(LEAK + 1)) + 1;  // with a sign bit
            localparam PRODUCT = (WORD + FACTOR > SUM) ? WORD + FACTOR : SUM;
            wire signed [PRODUCT-1:0] product;
            if (LEAK_OWN == 0) begin : g_product
                assign product = v * $signed(LEAK[FACTOR-1:0]);
            end else begin : g_product
                assign product = v * $signed({1'b0, own[FACTOR-2:0]});
            end
            /* verilator lint_off UNUSEDSIGNAL */ // lost is at most v: upper bits repeat the sign
            wire signed [PRODUCT-1:0] lost = product >>> LEAK_SHIFT;
            /* verilator lint_on UNUSEDSIGNAL */
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v} - lost[SUM-1:0];
        end
    endgenerate

    wire signed [SUM-1:0] drive = {{(SUM-COUNT){count[COUNT-1]}}, count} <<< FRACTION;
    wire signed [SUM-1:0] sum = kept + drive;
    wire signed [SUM:0] margin = kept + (drive - to_fire);  // in parallel with the sum
    wire negative = sum[SUM-1];
    wire outside = sum[SUM-1:WORD-1] != {(SUM-WORD+1){negative}};

    wire awake = rest == 0;
    assign spike = fires && awake && !margin[SUM];
    // A sum above MOST makes the neuron fire, so only neurons that never fire saturate there.
    localparam SATURATES = LEVELS_OWN != 0 || !FIRES;
    wire signed [WORD-1:0] n = !outside || (!SATURATES && !negative) ? sum[WORD-1:0]
        : negative ? LEAST : MOST;
    wire signed [WORD-1:0] at_most = outside ? MOST : sum[WORD-1:0];
    wire signed [WORD-1:0] fallen = (SUBTRACT != 0) ? at_most - to_drop : to_reset;
    assign v_next = spike ? fallen : awake ? n : v;
    assign rest_next = spike ? period : awake ? {REST{1'b0}} : rest - 1'b1;
endmodule
