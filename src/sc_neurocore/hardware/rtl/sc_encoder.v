// Image register of an unrolled design. Values are shifted in, and each is compared with the number of
// the current time step, which is the same for all of them, or with its own rotation of a register.
module sc_encoder #(
    parameter N_IN = 8, parameter BITS = 8,
    parameter SEQUENCE = 8, parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0,
    /* verilator lint_off UNUSEDPARAM */
    parameter REGISTER = 0,                  // bits of a register that is read rotated, instead
    parameter [15:0] FEEDBACK = 0, parameter [15:0] START = 0
    /* verilator lint_on UNUSEDPARAM */
) (
    input wire clk,
    input wire take,
    input wire [BITS-1:0] value,
    input wire clear,
    input wire step,
    output wire [N_IN-1:0] x
);
    reg [N_IN*BITS-1:0] values;
    generate
        if (N_IN == 1) begin : g_values
            always @(posedge clk) if (take) values <= value;
        end else begin : g_values
            always @(posedge clk) if (take) values <= {value, values[N_IN*BITS-1:BITS]};
        end
    endgenerate

    wire [N_IN*BITS-1:0] numbers;
    genvar i;
    generate
        if (REGISTER == 0) begin : g_numbers
            wire [BITS-1:0] number;
            sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
                .clk(clk), .clear(clear), .step(step), .number(number)
            );
            assign numbers = {N_IN{number}};
        end else begin : g_numbers
            sc_rotated #(
                .WIDTH(REGISTER), .BITS(BITS), .FEEDBACK(FEEDBACK[REGISTER-1:0]),
                .START(START[REGISTER-1:0]), .LANES(N_IN), .COLUMN(1)
            ) u_rotated (.clk(clk), .clear(clear), .step(step), .column(1'b0), .numbers(numbers));
        end
        for (i = 0; i < N_IN; i = i + 1) begin : g_input
            assign x[i] = numbers[i*BITS +: BITS] < values[i*BITS +: BITS];
        end
    endgenerate
endmodule
