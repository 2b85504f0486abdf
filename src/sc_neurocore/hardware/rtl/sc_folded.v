// Folded layer: processes SIMD inputs of PE neurons per clock cycle. One memory holds the weights and
// yields one word per cycle. Another holds the neuron states, one word per group of PE neurons. A pass
// computes one time step of all neurons, and all its weights are compared with the same number.
// Pipeline: (A) addresses of weights and inputs, (B) products and their sum, (C) LIF step of a group.
// With BANKS, weights are read a clock cycle after inputs, from the banks that have an input that is 1.
module sc_folded #(
    parameter N_IN = 64, parameter SIMD = 8, parameter PE = 1, parameter BITS = 8,
    parameter BIAS = 0,                      // 1: the last of the N_IN inputs is always on
    parameter BANKS = 0,                     // memories of weights, each of SIMD / BANKS lanes; 0: one
    parameter COUNT = 8,                     // bits of the signed count
    parameter SEQUENCE = 8,                  // bits of the step counter
    parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    parameter WORD = 16, parameter FRACTION = 4, parameter LEAK = 1, parameter LEAK_SHIFT = 4,
    parameter THRESHOLD = 1024, parameter RESET = 0, parameter SUBTRACT = 0,
    parameter REFRACTORY = 0, parameter REST = 1,
    parameter COLUMNS = 8, parameter GROUPS = 32,          // input words, groups of neurons
    parameter COLUMN = 3, parameter GROUP = 5, parameter ADDRESS = 8,      // address bits
    parameter WEIGHTS = ""                   // word g * COLUMNS + c: {negative, magnitude} per lane
) (
    input wire clk,
    input wire clear,
    input wire step,
`ifdef SC_LOADABLE
    input wire load,                         // writes a word of weights, between images
    input wire [ADDRESS-1:0] load_address,
    input wire [PE*SIMD*(BITS+1)-1:0] load_word,
`endif
    output wire x_read,                      // a word of inputs is needed
    output wire [COLUMN-1:0] x_address,
    input wire [SIMD-1:0] x_word,            // one clock cycle after its address
    output reg valid,
    output reg [GROUP-1:0] group,
    output reg [PE-1:0] spike,
    output reg [PE*WORD-1:0] v,
    output reg done
);
    localparam LANE = BITS + 1, STATE = (REFRACTORY == 0) ? WORD : WORD + REST;
    localparam integer LAST_COLUMN = COLUMNS - 1, LAST_GROUP = GROUPS - 1;
    localparam integer LAST_LANE = (N_IN - 1) % SIMD;

    // Stage A: addresses
    reg busy;
    reg [COLUMN-1:0] column_a;
    reg [GROUP-1:0] group_a;
    reg [ADDRESS-1:0] address;
    wire last_column = column_a == LAST_COLUMN[COLUMN-1:0];
    always @(posedge clk)
        if (clear) busy <= 1'b0;
        else if (!busy) begin
            busy <= step;
            column_a <= {COLUMN{1'b0}};
            group_a <= {GROUP{1'b0}};
            address <= {ADDRESS{1'b0}};
        end else begin
            busy <= !(last_column && group_a == LAST_GROUP[GROUP-1:0]);
            column_a <= last_column ? {COLUMN{1'b0}} : column_a + 1'b1;
            if (last_column) group_a <= group_a + 1'b1;
            address <= address + 1'b1;
        end
    assign x_read = busy;
    assign x_address = column_a;

    // Stage B: products
    wire [PE*SIMD*LANE-1:0] weights;
    wire reads, first_a, last_a, last_x;     // of the weights that are read; last_x: of x_word
    wire [GROUP-1:0] group_of_weights;
    reg valid_b, first_b, last_b;
    reg [GROUP-1:0] group_b;
    always @(posedge clk) begin
        valid_b <= reads && !clear;
        first_b <= first_a;
        last_b <= last_a;
        group_b <= group_of_weights;
    end
    reg [SIMD-1:0] x_now;
    always @* begin
        x_now = x_word;
        if (BIAS != 0 && last_x) x_now[LAST_LANE] = 1'b1;
    end
    wire [SIMD-1:0] x;
    genvar n, p;
    generate
        if (BANKS == 0) begin : g_weights
            assign reads = busy;
            assign first_a = column_a == 0;
            assign last_a = last_column;
            assign last_x = last_b;
            assign group_of_weights = group_a;
            assign x = x_now;
            sc_weights #(
                .DEPTH(COLUMNS * GROUPS), .WIDTH(PE * SIMD * LANE), .ADDRESS(ADDRESS), .FILE(WEIGHTS)
            ) u_weights (
`ifdef SC_LOADABLE
                .load(load), .load_address(load_address), .load_word(load_word),
`endif
                .clk(clk), .read(busy), .address(address), .word(weights)
            );
        end else begin : g_weights
            localparam LANES = SIMD / BANKS, BANK = LANES * LANE;
            localparam [SIMD-1:0] USED = {SIMD{1'b1}} >> (SIMD - 1 - LAST_LANE);
            wire [SIMD-1:0] x_used = last_x ? x_now & USED : x_now;  // lanes past the last input are 0
            reg late, first, last;
            reg [GROUP-1:0] group_late;
            reg [ADDRESS-1:0] address_late;
            reg [SIMD-1:0] x_late;
            always @(posedge clk) begin
                late <= busy && !clear;
                first <= column_a == 0;
                last <= last_column;
                group_late <= group_a;
                address_late <= address;
                x_late <= x_used;
            end
            assign reads = late;
            assign first_a = first;
            assign last_a = last;
            assign last_x = last;
            assign group_of_weights = group_late;
            assign x = x_late;
            for (n = 0; n < BANKS; n = n + 1) begin : g_bank
                localparam [7:0] HIGH = n / 16, LOW = n % 16;
                localparam [15:0] NAME = {HIGH + (HIGH < 10 ? 8'd48 : 8'd87), LOW + (LOW < 10 ? 8'd48 : 8'd87)};
                wire [PE*BANK-1:0] word;
`ifdef SC_LOADABLE
                wire [PE*BANK-1:0] load_part;
`endif
                sc_weights #(
                    .DEPTH(COLUMNS * GROUPS), .WIDTH(PE * BANK), .ADDRESS(ADDRESS), .FILE({WEIGHTS, "_", NAME})
                ) u_weights (
`ifdef SC_LOADABLE
                    .load(load), .load_address(load_address), .load_word(load_part),
`endif
                    .clk(clk), .read(late && x_used[n*LANES +: LANES] != 0), .address(address_late), .word(word)
                );
                for (p = 0; p < PE; p = p + 1) begin : g_of_pe
                    assign weights[(p*SIMD+n*LANES)*LANE +: BANK] = word[p*BANK +: BANK];
`ifdef SC_LOADABLE
                    assign load_part[p*BANK +: BANK] = load_word[(p*SIMD+n*LANES)*LANE +: BANK];
`endif
                end
            end
        end
    endgenerate
    wire [BITS-1:0] number;
    sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
        .clk(clk), .clear(clear), .step(done), .number(number)
    );

    // Stage C: neurons
    reg [PE*STATE-1:0] states [0:GROUPS-1];
    reg [PE*STATE-1:0] state_read;
    reg valid_c, fresh;                      // fresh: the states belong to the previous image
    reg [GROUP-1:0] group_c;
    wire [PE*STATE-1:0] state_next;
    wire [PE-1:0] spike_next;
    wire [PE*WORD-1:0] v_next;
    always @(posedge clk) begin
        if (last_b) state_read <= states[group_b];
        if (valid_c) states[group_c] <= state_next;
        valid_c <= valid_b && last_b && !clear;
        group_c <= group_b;
        valid <= valid_c && !clear;
        done <= valid_c && group_c == LAST_GROUP[GROUP-1:0] && !clear;
        if (clear) fresh <= 1'b1;
        else if (done) fresh <= 1'b0;
        if (valid_c) begin
            group <= group_c;
            spike <= spike_next;
            v <= v_next;
        end
    end

    generate
        for (p = 0; p < PE; p = p + 1) begin : g_pe
            reg [SIMD-1:0] product, negative;
            reg signed [COUNT-1:0] total, count;
            integer k;
            always @* begin
                total = first_b ? {COUNT{1'b0}} : count;
                for (k = 0; k < SIMD; k = k + 1) begin
                    product[k] = x[k] && number < weights[(p*SIMD+k)*LANE +: BITS];
                    negative[k] = weights[(p*SIMD+k)*LANE+BITS];
                    total = total + {{(COUNT-1){1'b0}}, product[k] && !negative[k]}
                        - {{(COUNT-1){1'b0}}, product[k] && negative[k]};
                end
            end
            always @(posedge clk) if (valid_b) count <= total;

            wire [STATE-1:0] state = fresh ? {STATE{1'b0}} : state_read[p*STATE +: STATE];
            /* verilator lint_off UNUSEDSIGNAL */ // unused without a refractory period
            wire [REST-1:0] rest, rest_next;
            /* verilator lint_on UNUSEDSIGNAL */
            sc_lif #(
                .WORD(WORD), .COUNT(COUNT), .FRACTION(FRACTION), .LEAK(LEAK), .LEAK_SHIFT(LEAK_SHIFT),
                .THRESHOLD(THRESHOLD), .RESET(RESET), .SUBTRACT(SUBTRACT), .REFRACTORY(REFRACTORY),
                .REST(REST)
            ) u_lif (
                .v(state[WORD-1:0]), .rest(rest), .count(count), .own(1'b0), .spike(spike_next[p]),
                .v_next(v_next[p*WORD +: WORD]), .rest_next(rest_next)
            );
            assign state_next[p*STATE +: WORD] = v_next[p*WORD +: WORD];
            if (REFRACTORY == 0) begin : g_rest
                assign rest = {REST{1'b0}};
            end else begin : g_rest
                assign rest = state[WORD +: REST];
                assign state_next[p*STATE+WORD +: REST] = rest_next;
            end
        end
    endgenerate
endmodule
