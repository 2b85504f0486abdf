// One time step of a fixed-point leaky integrate-and-fire neuron, combinational:
//   n = clamp(v - (v * LEAK >>> LEAK_SHIFT) + (count << FRACTION))
// Outside the refractory period: if n >= THRESHOLD, the neuron spikes and v becomes RESET, or with
// SUBTRACT = 1, n - (THRESHOLD - RESET); otherwise v becomes n.
// In the refractory period: v is held and count is ignored.
module sc_lif #(
    parameter WORD = 16,                     // bits of a potential, two's complement
    parameter COUNT = 5,                     // bits of the signed count
    parameter FRACTION = 4,
    parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024,              // 2**(WORD-1): never fires
    parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1   // refractory steps, bits of their counter
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
    /* verilator lint_off WIDTHTRUNC */ // upper bits of a negative threshold repeat its sign
    localparam signed [SUM:0] TO_FIRE = THRESHOLD;
    /* verilator lint_on WIDTHTRUNC */
    localparam integer TO_DROP = THRESHOLD - RESET;

    wire signed [SUM-1:0] kept;
    generate
        if (LEAK == 0) begin : g_leak
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v};
        end else begin : g_leak
            localparam FACTOR = $clog2(LEAK + 1) + 1;  // bits of LEAK with a sign bit
            localparam PRODUCT = (WORD + FACTOR > SUM) ? WORD + FACTOR : SUM;
            wire signed [PRODUCT-1:0] product = v * $signed(LEAK[FACTOR-1:0]);
            /* verilator lint_off UNUSEDSIGNAL */ // lost is at most v: upper bits repeat the sign
            wire signed [PRODUCT-1:0] lost = product >>> LEAK_SHIFT;
            /* verilator lint_on UNUSEDSIGNAL */
            assign kept = {{(SUM-WORD){v[WORD-1]}}, v} - lost[SUM-1:0];
        end
    endgenerate

    wire signed [SUM-1:0] drive = {{(SUM-COUNT){count[COUNT-1]}}, count} <<< FRACTION;
    wire signed [SUM-1:0] sum = kept + drive;
    wire signed [SUM:0] margin = kept + (drive - TO_FIRE);  // in parallel with the sum
    wire negative = sum[SUM-1];
    wire outside = sum[SUM-1:WORD-1] != {(SUM-WORD+1){negative}};

    wire awake = rest == 0;
    assign spike = FIRES && awake && !margin[SUM];
    // A sum above MOST makes the neuron fire, so only neurons that never fire saturate there.
    wire signed [WORD-1:0] n = !outside || (FIRES && !negative) ? sum[WORD-1:0] : negative ? LEAST : MOST;
    wire signed [WORD-1:0] at_most = outside ? MOST : sum[WORD-1:0];
    wire signed [WORD-1:0] fallen = (SUBTRACT != 0) ? at_most - TO_DROP[WORD-1:0] : RESET[WORD-1:0];
    assign v_next = spike ? fallen : awake ? n : v;
    assign rest_next = spike ? REFRACTORY[REST-1:0] : awake ? {REST{1'b0}} : rest - 1'b1;
endmodule
