// Folded layer of any kind: processes SIMD inputs of PE neurons per clock cycle, as sc_folded, of which
// it is the general form. Neurons are ordered by patch, then by channel; all patches share the weights.
// A neuron reads COLUMNS words for each of the 2**SUB bits of a time step.
// Pipeline: (A) addresses of weights and inputs, (B) products and their sum, (C) LIF step of a group.
module sc_layer #(
    parameter SIMD = 8, parameter PE = 1, parameter BITS = 8,
    parameter BIAS = 8,                      // lane of the last word that is always on; SIMD: none
    parameter POOL = 0,                      // 1: all weights are 1, and neurons see their own channel
    parameter SUB = 0, parameter BIT = 1,    // a step has 2**SUB bits; bits of the number of one
    parameter COUNT = 8,                     // bits of the signed count
    parameter SEQUENCE = 8,                  // bits of the step counter
    parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    parameter WORD = 16, parameter FRACTION = 4, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,
    parameter SYNAPSE = 0,                   // 1: neurons have synaptic currents
`ifdef SC_NOISE
    parameter NOISE = 0,                     // bits of the noise of a neuron; 0: none
    /* verilator lint_off UNUSEDPARAM */     // unused without noise
    parameter COINS = 1, parameter NOISE_SHIFT = 0, parameter [30:0] NOISE_START = 1,  // as in sc_noise
    /* verilator lint_on UNUSEDPARAM */
`endif
    /* verilator lint_off UNUSEDPARAM */     // unused without synaptic currents
    parameter SYN_LEAK = 1, parameter SYN_LEAK_SHIFT = 0, parameter SYN_FRACTION = 0,
    /* verilator lint_on UNUSEDPARAM */
    parameter LEAK_OWN = 0, parameter LEVELS_OWN = 0, parameter REST_OWN = 0, parameter SYN_OWN = 0,
    parameter OWN = 1,                       // bits of a neuron's own parameters, as in sc_lif
    parameter NEURONS = "",                  // file with those of each group of a patch
    parameter COLUMNS = 8, parameter CHANNELS = 32,        // words, groups of neurons of a patch
    parameter GROUPS = 32,                   // groups of all patches
    parameter COLUMN = 3, parameter CHANNEL = 5, parameter GROUP = 5, parameter ADDRESS = 8,
    parameter WEIGHTS = ""                   // word g * COLUMNS + c: {negative, magnitude} per lane
) (
    input wire clk,
    input wire clear,
    input wire step,
`ifdef SC_LOADABLE
    /* verilator lint_off UNUSEDSIGNAL */    // unused by pooling
    input wire load,                         // writes a word of weights, between images
    input wire [ADDRESS-1:0] load_address,
    input wire [PE*SIMD*(BITS+1)-1:0] load_word,
    /* verilator lint_on UNUSEDSIGNAL */
`endif
    output wire [COLUMN-1:0] next_column,    // for sc_reads
    output wire next_patch,
    output wire restart,
    output wire x_read,                      // a word of inputs is needed, one clock cycle after next_column
    output wire [CHANNEL-1:0] channel,
    output reg [BIT-1:0] sub,                // number of the bit of x_word
    input wire [SIMD-1:0] x_word,            // two clock cycles after next_column
    output reg valid,
    output reg [GROUP-1:0] group,
    output reg ends,                         // the group is the last one of its patch
    output reg [PE-1:0] spike,
    output reg [PE*WORD-1:0] v,
    output reg done
);
    localparam LANE = BITS + 1, DEPTH = COLUMNS * CHANNELS;
    localparam I = (SYNAPSE != 0) ? WORD : 0, R = (REFRACTORY == 0) ? 0 : REST;
    localparam STATE = WORD + R + I;         // {synaptic current, refractory steps, potential}
    localparam integer LAST_COLUMN = COLUMNS - 1, LAST_GROUP = GROUPS - 1, LAST_CHANNEL = CHANNELS - 1;
    localparam integer LAST_BIT = (1 << SUB) - 1;

    // Stage A: addresses
    reg busy;
    reg [COLUMN-1:0] column_a;
    reg [BIT-1:0] bit_a;
    reg [CHANNEL-1:0] channel_a;
    reg [GROUP-1:0] group_a;
    reg [ADDRESS-1:0] address, first;        // of the weights: now, and of the group
    wire last_column = column_a == LAST_COLUMN[COLUMN-1:0];
    wire last_read = last_column && bit_a == LAST_BIT[BIT-1:0];
    wire last_channel = channel_a == LAST_CHANNEL[CHANNEL-1:0];
    wire [ADDRESS-1:0] next_group = last_channel ? {ADDRESS{1'b0}} : address + 1'b1;
    assign next_column = !busy || last_column ? {COLUMN{1'b0}} : column_a + 1'b1;
    assign next_patch = last_read && last_channel;
    assign restart = !busy;
    assign channel = channel_a;
    assign x_read = busy;
    always @(posedge clk) begin
        column_a <= next_column;
        if (clear) busy <= 1'b0;
        else if (!busy) begin
            busy <= step;
            bit_a <= {BIT{1'b0}};
            channel_a <= {CHANNEL{1'b0}};
            group_a <= {GROUP{1'b0}};
            address <= {ADDRESS{1'b0}};
            first <= {ADDRESS{1'b0}};
        end else begin
            busy <= !(last_read && group_a == LAST_GROUP[GROUP-1:0]);
            address <= address + 1'b1;
            if (last_read) begin
                bit_a <= {BIT{1'b0}};
                channel_a <= last_channel ? {CHANNEL{1'b0}} : channel_a + 1'b1;
                group_a <= group_a + 1'b1;
                address <= next_group;
                first <= next_group;
            end else if (last_column) begin
                bit_a <= bit_a + 1'b1;
                address <= first;
            end
        end
    end

    // Stage B: products
    reg valid_b, first_b, last_b, last_read_b, ends_b;
    reg [GROUP-1:0] group_b;
    /* verilator lint_off UNUSEDSIGNAL */    // unused if all neurons have the same parameters
    reg [CHANNEL-1:0] channel_b;
    /* verilator lint_on UNUSEDSIGNAL */
    always @(posedge clk) begin
        valid_b <= busy && !clear;
        first_b <= column_a == 0 && bit_a == 0;
        last_b <= last_column;
        last_read_b <= last_read;
        ends_b <= last_channel;
        group_b <= group_a;
        channel_b <= channel_a;
        sub <= bit_a;
    end
    reg [SIMD-1:0] x;
    integer lane;
    always @* begin
        x = x_word;
        for (lane = 0; lane < SIMD; lane = lane + 1) if (lane == BIAS && last_b) x[lane] = 1'b1;
    end
    reg [SEQUENCE-1:0] t;                    // time steps
    always @(posedge clk)
        if (clear) t <= {SEQUENCE{1'b0}};
        else if (done) t <= t + 1'b1;

    /* verilator lint_off WIDTH */           // the counter may have fewer bits than the number of a bit
    /* verilator lint_off UNUSEDSIGNAL */    // pooling needs no numbers
    wire [SEQUENCE-1:0] at = (t << SUB) | ((SUB == 0) ? 0 : sub);
    /* verilator lint_on UNUSEDSIGNAL */
    /* verilator lint_on WIDTH */

    wire [PE*SIMD-1:0] product, negative;
    genvar p, k;
    generate
        if (POOL != 0) begin : g_weights
            localparam TURNS = SIMD / PE;    // groups of PE channels per word
            wire [31:0] turn = {{(32-CHANNEL){1'b0}}, channel_b} % TURNS;
            for (p = 0; p < PE; p = p + 1) begin : g_channel
                for (k = 0; k < SIMD; k = k + 1) begin : g_lane
                    assign product[p*SIMD+k] = x[k] && turn == k / PE && p == k % PE;
                end
            end
            assign negative = {(PE*SIMD){1'b0}};
        end else begin : g_weights
            wire [PE*SIMD*LANE-1:0] weights;
            sc_weights #(
                .DEPTH(DEPTH), .WIDTH(PE * SIMD * LANE), .ADDRESS(ADDRESS), .FILE(WEIGHTS)
            ) u_weights (
`ifdef SC_LOADABLE
                .load(load), .load_address(load_address), .load_word(load_word),
`endif
                .clk(clk), .read(busy), .address(address), .word(weights)
            );
            wire [BITS-1:0] number;
            sc_number #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_number (
                .t(at), .number(number)
            );
            for (k = 0; k < PE * SIMD; k = k + 1) begin : g_lane
                assign product[k] = x[k%SIMD] && number < weights[k*LANE +: BITS];
                assign negative[k] = weights[k*LANE+BITS];
            end
        end
    endgenerate

    // Stage C: neurons
    reg [PE*STATE-1:0] states [0:GROUPS-1];
    reg [PE*STATE-1:0] state_read;
    reg valid_c, ends_c, fresh;              // fresh: the states belong to the previous image
    reg [GROUP-1:0] group_c;
    wire [PE*STATE-1:0] state_next;
    wire [PE-1:0] spike_next;
    wire [PE*WORD-1:0] v_next;
    always @(posedge clk) begin
        if (last_read_b) state_read <= states[group_b];
        if (valid_c) states[group_c] <= state_next;
        valid_c <= valid_b && last_read_b && !clear;
        ends_c <= ends_b;
        group_c <= group_b;
        valid <= valid_c && !clear;
        ends <= ends_c;
        done <= valid_c && group_c == LAST_GROUP[GROUP-1:0] && !clear;
        if (clear) fresh <= 1'b1;
        else if (done) fresh <= 1'b0;
        if (valid_c) begin
            group <= group_c;
            spike <= spike_next;
            v <= v_next;
        end
    end
    wire [PE*OWN-1:0] own;                   // parameters of the neurons of the group
`ifdef SC_NOISE
    localparam OF_GROUP = (NOISE == 0) ? 1 : PE * NOISE;
    /* verilator lint_off UNUSEDSIGNAL */    // unused without noise
    wire [OF_GROUP-1:0] noise;
    /* verilator lint_on UNUSEDSIGNAL */
    generate
        if (NOISE == 0) begin : g_noise
            assign noise = 1'b0;
        end else begin : g_noise
            sc_noise #(
                .PE(PE), .COINS(COINS), .SHIFT(NOISE_SHIFT), .NOISE(NOISE), .START(NOISE_START)
            ) u_noise (
                .clk(clk), .clear(clear), .next(valid_b && last_read_b), .noise(noise)
            );
        end
    endgenerate
`endif
    generate
        if (LEAK_OWN + LEVELS_OWN + REST_OWN + SYN_OWN == 0) begin : g_own
            assign own = {(PE*OWN){1'b0}};
        end else begin : g_own
            reg [PE*OWN-1:0] neurons [0:CHANNELS-1];
            reg [PE*OWN-1:0] neurons_read;
            initial $readmemh({NEURONS, ".hex"}, neurons);
            always @(posedge clk) if (last_read_b) neurons_read <= neurons[channel_b];
            assign own = neurons_read;
        end
        for (p = 0; p < PE; p = p + 1) begin : g_pe
            reg signed [COUNT-1:0] total, count;
            integer i;
            always @* begin
                total = first_b ? {COUNT{1'b0}} : count;
                for (i = 0; i < SIMD; i = i + 1)
                    total = total + {{(COUNT-1){1'b0}}, product[p*SIMD+i] && !negative[p*SIMD+i]}
                        - {{(COUNT-1){1'b0}}, product[p*SIMD+i] && negative[p*SIMD+i]};
            end
            always @(posedge clk) if (valid_b) count <= total;

            wire [STATE-1:0] state = fresh ? {STATE{1'b0}} : state_read[p*STATE +: STATE];
            /* verilator lint_off UNUSEDSIGNAL */ // unused without a refractory period
            wire [REST-1:0] rest, rest_next;
            /* verilator lint_on UNUSEDSIGNAL */
`ifdef SC_NOISE
            localparam PLACES = (COUNT + FRACTION > NOISE) ? COUNT + FRACTION : NOISE;
            localparam DRIVE = (SYNAPSE != 0) ? WORD : (NOISE != 0) ? PLACES + 1 : COUNT;
            localparam DIGITS = (SYNAPSE != 0 || NOISE != 0) ? 0 : FRACTION;
`else
            localparam DRIVE = (SYNAPSE != 0) ? WORD : COUNT;
            localparam DIGITS = (SYNAPSE != 0) ? 0 : FRACTION;
`endif
            wire signed [DRIVE-1:0] drive;
            sc_lif #(
                .WORD(WORD), .COUNT(DRIVE), .FRACTION(DIGITS), .LEAK(LEAK),
                .LEAK_SHIFT(LEAK_SHIFT), .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT),
                .REFRACTORY(REFRACTORY), .REST(REST), .LEAK_OWN(LEAK_OWN), .LEVELS_OWN(LEVELS_OWN),
                .REST_OWN(REST_OWN), .OWN(OWN)
            ) u_lif (
                .v(state[WORD-1:0]), .rest(rest), .count(drive), .own(own[p*OWN +: OWN]),
                .spike(spike_next[p]), .v_next(v_next[p*WORD +: WORD]), .rest_next(rest_next)
            );
            assign state_next[p*STATE +: WORD] = v_next[p*WORD +: WORD];
            if (REFRACTORY == 0) begin : g_rest
                assign rest = {REST{1'b0}};
            end else begin : g_rest
                assign rest = state[WORD +: REST];
                assign state_next[p*STATE+WORD +: REST] = rest_next;
            end
`ifdef SC_NOISE
            if (NOISE != 0) begin : g_synapse
                wire signed [NOISE-1:0] own_noise = noise[p*NOISE +: NOISE];
                wire signed [DRIVE-1:0] counted = {{(DRIVE-COUNT){count[COUNT-1]}}, count} <<< FRACTION;
                assign drive = counted + {{(DRIVE-NOISE){own_noise[NOISE-1]}}, own_noise};
            end else
`endif
            if (SYNAPSE == 0) begin : g_synapse
                assign drive = count;
            end else begin : g_synapse
                localparam BITS_OWN = (SYN_OWN == 0) ? 1 : SYN_OWN;
                localparam AT = OWN - BITS_OWN;  // the leak of the current comes last
                sc_synapse #(
                    .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION + SYN_FRACTION), .LEAK(SYN_LEAK),
                    .LEAK_SHIFT(SYN_LEAK_SHIFT), .LEAK_OWN(SYN_OWN), .OWN(BITS_OWN),
                    .DROP(SYN_FRACTION)
                ) u_synapse (
                    .i(state[WORD+R +: WORD]), .count(count),
                    .own(own[p*OWN+AT +: BITS_OWN]),
                    .i_next(state_next[p*STATE+WORD+R +: WORD]), .drive(drive)
                );
            end
        end
    endgenerate
endmodule
