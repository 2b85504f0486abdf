// Shift register x**33 + x**20 + 1 that makes 32 new bits per step. Its period is 2**33 - 1 steps. It is
// never reset: START is its state when the device is configured.
module sc_random #(
    parameter [32:0] START = 33'd1           // not 0
) (
    input wire clk,
    input wire step,
    output wire [31:0] random                // the bits of this step
);
    reg [32:0] state;
    initial state = START;
    wire [31:0] head = state[32:1] ^ {state[19:0], 12'b0};
    assign random = head ^ {20'b0, head[31:20]};
    always @(posedge clk) if (step) state <= {state[0], random};
endmodule
