// Sequences images of a design whose layers work at the same time, in beats: in a beat each layer computes
// a time step, a later one than the layer after it. The values of the next image are read meanwhile, into
// the other half of the image memory; `drop` begins it again.
module sc_pipeline #(
    parameter N_IN = 64,
    parameter LENGTH = 64,
    parameter COUNT = 7,                     // bits that hold the larger of N_IN and LENGTH
    parameter LAYERS = 2
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    output wire take,                        // a value is read
    input wire drop,                         // the values of an image that is not whole are dropped
`ifdef SC_LOADABLE
    output wire idle,                        // no image is whole, so that weights can change
`endif
    output wire clear,                       // resets the layers for a new image
    output reg half,                         // of the image memory that the layers read
    output wire [LAYERS-1:0] step,           // the layers that begin a time step
    input wire [LAYERS-1:0] done,
    output wire last_step,                   // the next step of the last layer to finish is the last
    input wire step_done,                    // of the last layer
    input wire class_valid,
    output wire out_valid,
    input wire out_ready
);
    localparam [1:0] WAIT = 0, RUN = 1, READ = 2, OFFER = 3;
    localparam integer LAST_VALUE = N_IN - 1, LAST_STEP = LENGTH - 1;
    reg [1:0] state, full;                   // full: a half has an image that is not computed yet
    reg half_in;
    reg [COUNT-1:0] values, issued, finished;
    reg [LAYERS-1:0] active, busy;           // layers of the last beat; those that compute

    assign in_ready = !full[half_in] && !rst && !drop;
    assign take = in_ready && in_valid;
    wire whole = take && values == LAST_VALUE[COUNT-1:0];
    wire beat = state == RUN && busy == 0;
    wire more = issued != LENGTH[COUNT-1:0];
    /* verilator lint_off UNUSEDSIGNAL */    // no layer follows the last one
    wire [LAYERS:0] moved = {active, more};  // each layer follows the one that it reads
    /* verilator lint_on UNUSEDSIGNAL */
    assign step = beat ? moved[LAYERS-1:0] : {LAYERS{1'b0}};
    assign clear = state == WAIT;
    assign last_step = finished == LAST_STEP[COUNT-1:0];
    assign out_valid = state == OFFER;
`ifdef SC_LOADABLE
    assign idle = !full[half] && !rst;     // and so the other half, which comes later
`endif

    always @(posedge clk)
        if (rst) begin
            state <= WAIT;
            full <= 2'b00;
            half_in <= 1'b0;
            half <= 1'b0;
            values <= {COUNT{1'b0}};
        end else begin
            if (drop || whole) values <= {COUNT{1'b0}};
            else if (take) values <= values + 1'b1;
            if (whole) begin
                full[half_in] <= 1'b1;
                half_in <= !half_in;
            end
            case (state)
                WAIT: begin
                    issued <= {COUNT{1'b0}};
                    finished <= {COUNT{1'b0}};
                    active <= {LAYERS{1'b0}};
                    busy <= {LAYERS{1'b0}};
                    if (full[half]) state <= RUN;
                end
                RUN: begin
                    busy <= beat ? step : busy & ~done;
                    if (beat) active <= step;
                    if (beat && more) issued <= issued + 1'b1;
                    if (step_done) finished <= finished + 1'b1;
                    if (step_done && last_step) state <= READ;
                end
                READ: if (class_valid) state <= OFFER;
                OFFER: if (out_ready) begin
                    full[half] <= 1'b0;
                    half <= !half;
                    state <= WAIT;
                end
            endcase
        end
endmodule
