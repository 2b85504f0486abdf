// Sequences an image: read N_IN values, run LENGTH time steps, output the class.
module sc_control #(
    parameter N_IN = 64,
    parameter LENGTH = 64,
    parameter COUNT = 7,                     // bits that hold the larger of N_IN and LENGTH
    parameter PIPELINED = 0,                 // 1: one step per clock cycle; 0: wait for step_done
    parameter FRAMES = 0                     // 1: read N_IN values before each step
) (
    input wire clk,
    input wire rst,
    input wire in_valid,
    output wire in_ready,
    output wire take,                        // a value is read
    output wire clear,                       // resets the layers for a new image
    output wire step,
    input wire step_done,
    output wire last_step,                   // the next step to finish is the last
    input wire decided,                      // with step_done: no further step can change the class
    input wire class_valid,
    output wire out_valid,
    input wire out_ready
);
    localparam [1:0] TAKE = 0, RUN = 1, READ = 2, OFFER = 3;
    reg [1:0] state;
    reg [COUNT-1:0] issued, finished;        // values read or steps issued; steps finished
    reg idle;

    assign in_ready = state == TAKE && !rst;
    assign take = in_ready && in_valid;
    assign clear = (FRAMES == 0) ? state == TAKE : rst || state == OFFER;
    localparam integer LAST_VALUE = N_IN - 1, LAST_STEP = LENGTH - 1;
    assign step = state == RUN && issued != LENGTH[COUNT-1:0] && (PIPELINED != 0 || idle);
    assign last_step = finished == LAST_STEP[COUNT-1:0];
    assign out_valid = state == OFFER;

    always @(posedge clk)
        if (rst) begin
            state <= TAKE;
            issued <= {COUNT{1'b0}};
            finished <= {COUNT{1'b0}};
            idle <= 1'b1;
        end else case (state)
            TAKE: begin
                if (FRAMES == 0) finished <= {COUNT{1'b0}};
                idle <= 1'b1;
                if (take) begin
                    issued <= issued + 1'b1;
                    if (issued == LAST_VALUE[COUNT-1:0]) begin
                        issued <= {COUNT{1'b0}};
                        state <= RUN;
                    end
                end
            end
            RUN: begin
                if (step) issued <= issued + 1'b1;
                idle <= step_done || (idle && !step);
                if (step_done) finished <= finished + 1'b1;
                if (FRAMES != 0 && step_done) begin
                    issued <= {COUNT{1'b0}};
                    state <= TAKE;
                end
                if (step_done && (last_step || decided)) state <= READ;
            end
            READ: begin
                issued <= {COUNT{1'b0}};
                if (class_valid) state <= OFFER;
            end
            OFFER: begin
                if (FRAMES != 0) finished <= {COUNT{1'b0}};
                if (out_ready) state <= TAKE;
            end
        endcase
endmodule
