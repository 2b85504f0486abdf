// Layer that learns: processes one synapse per clock cycle. In a time step, each neuron first counts its
// products, weight by weight, and fires or not; then all its weights change by the spikes and traces.
// The memory of the weights holds {negative, magnitude}. A magnitude has more bits than are compared
// with the number of the time step, so that it can change by less than one of those.
// A step takes N_OUT * (2 * N_IN + 2) + 1 clock cycles. Pipeline: (A) addresses, (B) products and
// changes of weights. `clear` puts neurons and traces at rest; weights and random numbers go on.
module sc_learning #(
    parameter N_IN = 8, parameter N_OUT = 4,
    parameter INPUT = 3, parameter NEURON = 2, parameter ADDRESS = 5,      // address bits
    parameter BITS = 8,                      // leading bits of a magnitude that are compared
    parameter COUNT = 5,                     // bits of the signed count
    parameter SEQUENCE = 8,                  // bits of the step counter
    parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    parameter WORD = 16, parameter FRACTION = 4, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,
    parameter WEIGHT = 15, parameter MOST = 32767,         // bits of a magnitude, the largest one
    parameter TRACE = 16, parameter ONE = 4096, parameter NEAREST = 0,
    parameter KEEP_PLUS = 243, parameter KEEP_PLUS_SHIFT = 8,
    parameter KEEP_MINUS = 243, parameter KEEP_MINUS_SHIFT = 8,
    parameter LEVEL = 0,                     // 0: sc_stdp, else sc_move
    parameter A_PLUS = 164, parameter A_MINUS = 164,       // or P_PLUS and P_MINUS of sc_move
    /* verilator lint_off UNUSEDPARAM */     // those of sc_stdp, or those of sc_move
    parameter A_PLUS_SHIFT = 11, parameter A_MINUS_SHIFT = 11,
    parameter DROP = 4, parameter [32:0] START = 33'd1,
    /* verilator lint_on UNUSEDPARAM */
    parameter WEIGHTS = ""                   // file with word j * N_IN + i for neuron j and input i
) (
    input wire clk,
    input wire clear,
    input wire step,                         // reads x; ignored while busy
    input wire learn,                        // whether weights change, held during a step
    input wire [N_IN-1:0] x,
    output wire busy,
    output reg done,                         // the step has ended, and spike holds its spikes
    output reg [N_OUT-1:0] spike,
    output wire fired,                       // fired_spike and fired_v are those of a neuron
    output wire fired_spike,
    output wire signed [WORD-1:0] fired_v,
    output wire changed,                     // the weight of a synapse changes
    output wire [ADDRESS-1:0] synapse,
    output wire [WEIGHT:0] weight
);
    localparam [1:0] IDLE = 0, PRODUCTS = 1, FIRE = 2, CHANGES = 3;
    localparam integer LAST_INPUT = N_IN - 1, LAST_NEURON = N_OUT - 1;

    // Stage A: addresses
    reg [1:0] phase;
    reg [INPUT-1:0] i_a;
    reg [NEURON-1:0] j;
    reg [ADDRESS-1:0] at_a, first;           // of the weight: now, and of the neuron
    wire last_a = i_a == LAST_INPUT[INPUT-1:0];
    wire last_neuron = j == LAST_NEURON[NEURON-1:0];
    wire reads = phase == PRODUCTS || phase == CHANGES;
    wire ends = last_a && phase == CHANGES;  // the neuron's turn
    assign busy = phase != IDLE;
    always @(posedge clk) begin
        if (clear) phase <= IDLE;
        else case (phase)
            IDLE: if (step) phase <= PRODUCTS;
            PRODUCTS: if (last_a) phase <= FIRE;
            FIRE: if (fired) phase <= CHANGES;
            CHANGES: if (last_a) phase <= last_neuron ? IDLE : PRODUCTS;
        endcase
        i_a <= reads && !last_a ? i_a + 1'b1 : {INPUT{1'b0}};
        if (!busy) begin
            j <= {NEURON{1'b0}};
            at_a <= {ADDRESS{1'b0}};
            first <= {ADDRESS{1'b0}};
        end else if (ends) begin
            j <= j + 1'b1;
            at_a <= at_a + 1'b1;
            first <= at_a + 1'b1;
        end else if (phase == FIRE) at_a <= first;
        else at_a <= at_a + 1'b1;
        done <= ends && last_neuron && !clear;
    end

    // Stage B: the weight and the trace of an input
    reg products_b, changes_b, first_b;
    reg [INPUT-1:0] i_b;
    reg [ADDRESS-1:0] at_b;
    reg [N_IN-1:0] held;                     // spikes of the inputs, turning
    reg fresh;                               // states and traces belong to the time before `clear`
    always @(posedge clk) begin
        products_b <= phase == PRODUCTS && !clear;
        changes_b <= phase == CHANGES && !clear;
        first_b <= i_a == 0;
        i_b <= i_a;
        at_b <= at_a;
        if (clear) fresh <= 1'b1;
        else if (done) fresh <= 1'b0;
    end
    wire x_b = held[0];
    generate
        if (N_IN == 1) begin : g_held
            always @(posedge clk) if (!busy && step) held <= x;
        end else begin : g_held
            always @(posedge clk)
                if (!busy && step) held <= x;
                else if (products_b || changes_b) held <= {held[0], held[N_IN-1:1]};
        end
    endgenerate

    reg [WEIGHT:0] weights [0:N_IN*N_OUT-1];
    reg [WEIGHT:0] weight_read;
    initial $readmemh({WEIGHTS, ".hex"}, weights);
    always @(posedge clk) begin
        weight_read <= weights[at_a];
        if (changed) weights[at_b] <= weight;
    end
    wire [WEIGHT-1:0] m = weight_read[WEIGHT-1:0];
    wire negative = weight_read[WEIGHT];

    // Traces of the inputs decay and rise while the first neuron counts.
    reg [TRACE-1:0] pres [0:N_IN-1];
    reg [TRACE-1:0] pre;
    wire [TRACE-1:0] pre_next;
    wire renews = products_b && j == 0;
    always @(posedge clk) begin
        pre <= pres[i_a];
        if (renews) pres[i_b] <= pre_next;
    end
    /* verilator lint_off PINCONNECTEMPTY */
    sc_trace #(
        .TRACE(TRACE), .ONE(ONE), .NEAREST(NEAREST), .KEEP(KEEP_PLUS), .KEEP_SHIFT(KEEP_PLUS_SHIFT)
    ) u_pre (.trace(fresh ? {TRACE{1'b0}} : pre), .spike(x_b), .kept(), .next(pre_next));
    /* verilator lint_on PINCONNECTEMPTY */

    wire [BITS-1:0] number;
    sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
        .clk(clk), .clear(clear), .step(done), .number(number)
    );
    wire product = x_b && number < m[WEIGHT-1 -: BITS];
    wire signed [COUNT-1:0] one = {{(COUNT-1){negative}}, 1'b1};
    reg signed [COUNT-1:0] count;
    wire signed [COUNT-1:0] so_far = first_b ? {COUNT{1'b0}} : count;
    always @(posedge clk) if (products_b) count <= product ? so_far + one : so_far;

    // A neuron fires in the clock cycle after its last product was counted.
    localparam STATE = WORD + REST + TRACE;  // {trace, refractory steps, potential}
    reg [STATE-1:0] states [0:N_OUT-1];
    reg [STATE-1:0] state_read;
    wire [STATE-1:0] state = fresh ? {STATE{1'b0}} : state_read;
    wire [STATE-1:0] state_next;
    assign fired = phase == FIRE && !products_b;
    always @(posedge clk) begin
        state_read <= states[j];
        if (fired) states[j] <= state_next;
    end
    sc_lif #(
        .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION), .LEAK(LEAK), .LEAK_SHIFT(LEAK_SHIFT),
        .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT), .REFRACTORY(REFRACTORY), .REST(REST)
    ) u_lif (
        .v(state[WORD-1:0]), .rest(state[WORD +: REST]), .count(count), .own(1'b0),
        .spike(fired_spike), .v_next(fired_v), .rest_next(state_next[WORD +: REST])
    );
    assign state_next[WORD-1:0] = fired_v;
    wire [TRACE-1:0] post_kept;
    sc_trace #(
        .TRACE(TRACE), .ONE(ONE), .NEAREST(NEAREST), .KEEP(KEEP_MINUS), .KEEP_SHIFT(KEEP_MINUS_SHIFT)
    ) u_post (
        .trace(state[WORD+REST +: TRACE]), .spike(fired_spike), .kept(post_kept),
        .next(state_next[WORD+REST +: TRACE])
    );
    reg fires;                               // the neuron whose weights change has fired
    reg [TRACE-1:0] post;
    always @(posedge clk)
        if (fired) begin
            fires <= fired_spike;
            post <= post_kept;
            spike[j] <= fired_spike;
        end

    wire [WEIGHT-1:0] m_next;
    generate
        if (LEVEL == 0) begin : g_rule
            sc_stdp #(
                .WEIGHT(WEIGHT), .MOST(MOST), .TRACE(TRACE), .A_PLUS(A_PLUS), .A_PLUS_SHIFT(A_PLUS_SHIFT),
                .A_MINUS(A_MINUS), .A_MINUS_SHIFT(A_MINUS_SHIFT)
            ) u_stdp (.m(m), .x(x_b), .spike(fires), .pre(pre), .post(post), .m_next(m_next));
        end else begin : g_rule
            wire [31:0] random;
            sc_random #(.START(START)) u_random (.clk(clk), .step(changes_b && learn), .random(random));
            sc_move #(
                .WEIGHT(WEIGHT), .MOST(MOST), .TRACE(TRACE), .DROP(DROP), .P_PLUS(A_PLUS), .P_MINUS(A_MINUS),
                .LEVEL(LEVEL)
            ) u_move (
                .m(m), .x(x_b), .spike(fires), .pre(pre), .post(post), .random(random), .m_next(m_next)
            );
        end
    endgenerate
    assign changed = changes_b && learn && m_next != m;
    assign synapse = at_b;
    assign weight = {negative, m_next};
endmodule
