// Folded layer that takes numbers: multiplies SIMD inputs of PE neurons per clock cycle, once per image. A
// group of neurons computes all its time steps while the sums of the next group grow; neurons are ordered
// by patch, then by channel. The first step of an image takes all the time, the others one clock cycle.
// Pipeline: (A) addresses, (B) words, (C) products and their sum, (D) sum of a neuron, (E) its current,
// (F) LIF steps of a group.
module sc_numbers #(
    parameter SIMD = 8, parameter PE = 1, parameter BITS = 8,
    parameter SUM = 20,                      // bits of a signed sum of products
    parameter DROP = 12,                     // a current is sum >> DROP, or sum << -DROP
    parameter COUNT = 8,                     // bits of a signed current
    parameter LENGTH = 4, parameter STEP = 2,              // time steps, and bits of their number
    parameter WORD = 16, parameter FRACTION = 0, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,
    parameter SYNAPSE = 0,                   // 1: neurons have synaptic currents
    /* verilator lint_off UNUSEDPARAM */     // unused without synaptic currents
    parameter SYN_LEAK = 1, parameter SYN_LEAK_SHIFT = 0, parameter SYN_FRACTION = 0,
    /* verilator lint_on UNUSEDPARAM */
    parameter LEAK_OWN = 0, parameter LEVELS_OWN = 0, parameter REST_OWN = 0, parameter SYN_OWN = 0,
    parameter OWN = 1,                       // bits of a neuron's own parameters, as in sc_lif
    parameter NEURONS = "",                  // file with those of each group of a patch
    parameter COLUMNS = 8, parameter CHANNELS = 32,        // words, groups of neurons of a patch
    parameter GROUPS = 32,                   // groups of all patches
    parameter COLUMN = 3, parameter CHANNEL = 5, parameter GROUP = 5, parameter ADDRESS = 8,
    parameter WEIGHTS = "",                  // word g * COLUMNS + c: {negative, magnitude} per lane
    parameter OFFSETS = ""                   // word g: the first summand of each neuron
) (
    input wire clk,
    input wire clear,
    input wire step,
`ifdef SC_LOADABLE
    input wire load,                         // writes a word of weights, between images
    input wire [ADDRESS-1:0] load_address,
    input wire [PE*SIMD*(BITS+1)-1:0] load_word,
    input wire load_offset,                  // writes a word of offsets
    input wire [PE*SUM-1:0] load_offset_word,
`endif
    output wire [COLUMN-1:0] next_column,    // for sc_reads
    output wire next_patch,
    output wire restart,
    output wire x_read,                      // a word of inputs is needed, one clock cycle after next_column
    input wire [SIMD*BITS-1:0] x_word,       // two clock cycles after next_column
    output reg valid,
    output reg [GROUP-1:0] group,
    output reg last,                         // the last time step of the group
    output reg ends,                         // the group is the last one of its patch
    output reg [PE-1:0] spike,
    output reg [PE*WORD-1:0] v,
    output reg done
);
    localparam LANE = BITS + 1, DEPTH = COLUMNS * CHANNELS;
    localparam TURN = (COLUMNS > LENGTH) ? COLUMNS : LENGTH;  // clock cycles per group
    localparam TURNS = (TURN == 1) ? 1 : $clog2(TURN);
    localparam TREES = $clog2(SIMD) + $clog2(BITS), DELAY = TREES + 1;  // from (B) to (D)
    localparam PLANE = BITS + $clog2(SIMD), DOT = PLANE + (BITS == 1 ? 0 : BITS);
    localparam I = (SYNAPSE != 0) ? WORD : 0, R = (REFRACTORY == 0) ? 0 : REST;
    localparam integer LAST_TURN = TURN - 1, LAST_COLUMN = COLUMNS - 1, LAST_STEP = LENGTH - 1;
    localparam integer LAST_GROUP = GROUPS - 1, LAST_CHANNEL = CHANNELS - 1;

    // Stage A: addresses
    reg busy, loaded;                        // loaded: all steps of the image are done
    reg [TURNS-1:0] turn_a;
    reg [CHANNEL-1:0] channel_a;
    reg [GROUP-1:0] group_a;
    reg [ADDRESS-1:0] address;
    wire ends_turn = turn_a == LAST_TURN[TURNS-1:0];
    wire last_channel = channel_a == LAST_CHANNEL[CHANNEL-1:0];
    wire reads = TURN == COLUMNS || turn_a <= LAST_COLUMN[TURNS-1:0];
    wire [TURNS-1:0] next_turn = !busy || ends_turn ? {TURNS{1'b0}} : turn_a + 1'b1;
    assign next_column = next_turn[COLUMN-1:0];
    assign next_patch = ends_turn && last_channel;
    assign restart = !busy;
    assign x_read = busy && reads;
    always @(posedge clk) begin
        turn_a <= next_turn;
        if (clear) busy <= 1'b0;
        else if (!busy) begin
            busy <= step && !loaded;
            channel_a <= {CHANNEL{1'b0}};
            group_a <= {GROUP{1'b0}};
            address <= {ADDRESS{1'b0}};
        end else begin
            if (reads) address <= address + 1'b1;
            if (ends_turn) begin
                busy <= group_a != LAST_GROUP[GROUP-1:0];
                group_a <= group_a + 1'b1;
                channel_a <= last_channel ? {CHANNEL{1'b0}} : channel_a + 1'b1;
                if (last_channel) address <= {ADDRESS{1'b0}};
            end
        end
    end

    // Stages B and C: words; the last one of a neuron. A negative weight multiplies the inverted input,
    // most - x instead of -x, which its offset corrects.
    reg [DELAY:0] valid_b, last_b;
    wire [PE*SIMD*LANE-1:0] weights;
    sc_weights #(
        .DEPTH(DEPTH), .WIDTH(PE * SIMD * LANE), .ADDRESS(ADDRESS), .FILE(WEIGHTS)
    ) u_weights (
`ifdef SC_LOADABLE
        .load(load), .load_address(load_address), .load_word(load_word),
`endif
        .clk(clk), .read(x_read), .address(address), .word(weights)
    );
    always @(posedge clk) begin
        valid_b <= clear ? {(DELAY+1){1'b0}} : {valid_b[DELAY-1:0], x_read};
        last_b <= {last_b[DELAY-1:0], turn_a == LAST_COLUMN[TURNS-1:0]};
    end
    wire valid_d = valid_b[DELAY], last_d = last_b[DELAY];
    reg [CHANNEL-1:0] channel_c;             // of the sum that ends next, one clock cycle before (D)
    wire [PE*SUM-1:0] offsets;
    sc_weights #(
        .DEPTH(CHANNELS), .WIDTH(PE * SUM), .ADDRESS(CHANNEL), .FILE(OFFSETS)
    ) u_offsets (
`ifdef SC_LOADABLE
        .load(load_offset), .load_address(load_address[CHANNEL-1:0]), .load_word(load_offset_word),
`endif
        .clk(clk), .read(valid_b[DELAY-1]), .address(channel_c), .word(offsets)
    );
    reg fresh;                               // the next products are the first ones of a group
    reg whole;                               // stage E: the sums of a group are complete
    always @(posedge clk) begin
        if (clear) channel_c <= {CHANNEL{1'b0}};
        else if (valid_b[DELAY-1] && last_b[DELAY-1])
            channel_c <= channel_c == LAST_CHANNEL[CHANNEL-1:0] ? {CHANNEL{1'b0}} : channel_c + 1'b1;
        if (clear) fresh <= 1'b1;
        else if (valid_d) fresh <= last_d;
        whole <= valid_d && last_d && !clear;
    end

    // Stage F: steps
    reg running, first_f, ends_f, final_f;   // final_f: the last group of the image
    reg [STEP-1:0] t;
    reg [GROUP-1:0] group_e, group_f;        // the sums that are complete next; of the steps
    wire last_f = LENGTH == 1 || t == LAST_STEP[STEP-1:0];
    wire ends_image = running && last_f && final_f && !clear;
    wire final_e = group_e == LAST_GROUP[GROUP-1:0];
    wire ends_e;
    always @(posedge clk) begin
        if (clear) group_e <= {GROUP{1'b0}};
        else if (whole) group_e <= group_e + 1'b1;
        running <= (whole || (running && !last_f)) && !clear;
        first_f <= whole;
        t <= whole ? {STEP{1'b0}} : t + 1'b1;
        if (whole) begin
            group_f <= group_e;
            ends_f <= ends_e;
            final_f <= final_e;
        end
        valid <= running && !clear;
        group <= group_f;
        last <= last_f;
        ends <= ends_f;
        done <= ends_image || (step && loaded && !clear);
        if (clear) loaded <= 1'b0;
        else if (ends_image) loaded <= 1'b1;
    end
    wire [PE*OWN-1:0] own;                   // parameters of the neurons of the group
    /* verilator lint_off UNUSEDSIGNAL */    // unused if all neurons have the same parameters
    wire [CHANNEL-1:0] channel_e;
    /* verilator lint_on UNUSEDSIGNAL */
    genvar p, k, b;
    generate
        if (CHANNELS == GROUPS) begin : g_channel
            assign channel_e = group_e;
            assign ends_e = final_e;
        end else begin : g_channel
            reg [CHANNEL-1:0] at;
            always @(posedge clk)
                if (clear) at <= {CHANNEL{1'b0}};
                else if (whole) at <= ends_e ? {CHANNEL{1'b0}} : at + 1'b1;
            assign channel_e = at;
            assign ends_e = at == LAST_CHANNEL[CHANNEL-1:0];
        end
        if (LEAK_OWN + LEVELS_OWN + REST_OWN + SYN_OWN == 0) begin : g_own
            assign own = {(PE*OWN){1'b0}};
        end else begin : g_own
            reg [PE*OWN-1:0] neurons [0:CHANNELS-1];
            reg [PE*OWN-1:0] neurons_read;
            initial $readmemh({NEURONS, ".hex"}, neurons);
            always @(posedge clk) if (whole) neurons_read <= neurons[channel_e];
            assign own = neurons_read;
        end
        for (p = 0; p < PE; p = p + 1) begin : g_pe
            wire [BITS*PLANE-1:0] planes;
            for (b = 0; b < BITS; b = b + 1) begin : g_plane
                reg [SIMD*BITS-1:0] terms;
                for (k = 0; k < SIMD; k = k + 1) begin : g_lane
                    wire [BITS-1:0] x = x_word[k*BITS +: BITS] ^ {BITS{weights[(p*SIMD+k)*LANE+BITS]}};
                    always @(posedge clk)
                        terms[k*BITS +: BITS] <= x & {BITS{weights[(p*SIMD+k)*LANE+b]}};
                end
                sc_tree #(.N(SIMD), .WIDTH(BITS)) u_lanes (
                    .clk(clk), .terms(terms), .sum(planes[b*PLANE +: PLANE])
                );
            end
            /* verilator lint_off UNUSEDSIGNAL */ // products may have more bits than a sum of small weights
            wire [DOT-1:0] dot;
            /* verilator lint_on UNUSEDSIGNAL */
            sc_tree #(.N(BITS), .WIDTH(PLANE), .SHIFT(1)) u_planes (.clk(clk), .terms(planes), .sum(dot));
            reg [SUM-1:0] sum;
            reg signed [COUNT-1:0] current;
            /* verilator lint_off WIDTH */
            /* verilator lint_off UNUSEDSIGNAL */ // modulo 2**SUM
            wire [SUM+DOT-1:0] added = (fresh ? offsets[p*SUM +: SUM] : sum) + dot;
            /* verilator lint_on UNUSEDSIGNAL */
            /* verilator lint_on WIDTH */
            always @(posedge clk) if (valid_d) sum <= added[SUM-1:0];
            if (DROP >= 0) begin : g_current
                always @(posedge clk) if (whole) current <= sum[SUM-1:DROP];
            end else begin : g_current
                always @(posedge clk) if (whole) current <= {sum, {(-DROP){1'b0}}};
            end

            wire signed [WORD-1:0] potential = first_f ? {WORD{1'b0}} : v[p*WORD +: WORD];
            wire [WORD-1:0] v_next;
            /* verilator lint_off UNUSEDSIGNAL */ // unused without a refractory period
            wire [REST-1:0] rest, rest_next;
            /* verilator lint_on UNUSEDSIGNAL */
            localparam DRIVE = (SYNAPSE != 0) ? WORD : COUNT;
            wire signed [DRIVE-1:0] drive;
            wire spike_next;
            sc_lif #(
                .WORD(WORD), .COUNT(DRIVE), .FRACTION((SYNAPSE != 0) ? 0 : FRACTION), .LEAK(LEAK),
                .LEAK_SHIFT(LEAK_SHIFT), .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT),
                .REFRACTORY(REFRACTORY), .REST(REST), .LEAK_OWN(LEAK_OWN), .LEVELS_OWN(LEVELS_OWN),
                .REST_OWN(REST_OWN), .OWN(OWN)
            ) u_lif (
                .v(potential), .rest(rest), .count(drive), .own(own[p*OWN +: OWN]),
                .spike(spike_next), .v_next(v_next), .rest_next(rest_next)
            );
            always @(posedge clk) if (running) begin
                v[p*WORD +: WORD] <= v_next;
                spike[p] <= spike_next;
            end
            if (R == 0) begin : g_rest
                assign rest = {REST{1'b0}};
            end else begin : g_rest
                reg [REST-1:0] left;
                always @(posedge clk) if (running) left <= rest_next;
                assign rest = first_f ? {REST{1'b0}} : left;
            end
            if (I == 0) begin : g_synapse
                assign drive = current;
            end else begin : g_synapse
                localparam BITS_OWN = (SYN_OWN == 0) ? 1 : SYN_OWN;
                localparam AT = OWN - BITS_OWN;  // the leak of the current comes last
                reg [WORD-1:0] kept;
                wire [WORD-1:0] i_next;
                sc_synapse #(
                    .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION + SYN_FRACTION), .LEAK(SYN_LEAK),
                    .LEAK_SHIFT(SYN_LEAK_SHIFT), .LEAK_OWN(SYN_OWN), .OWN(BITS_OWN),
                    .DROP(SYN_FRACTION)
                ) u_synapse (
                    .i(first_f ? {WORD{1'b0}} : kept), .count(current),
                    .own(own[p*OWN+AT +: BITS_OWN]), .i_next(i_next), .drive(drive)
                );
                always @(posedge clk) if (running) kept <= i_next;
            end
        end
    endgenerate
endmodule
