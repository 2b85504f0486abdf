// Image register of an unrolled design. Values are shifted in, and each is compared with the number of
// the current time step.
module sc_encoder #(
    parameter N_IN = 8, parameter BITS = 8,
    parameter SEQUENCE = 8, parameter [BITS*SEQUENCE-1:0] ROWS = 0, parameter [BITS-1:0] SHIFT = 0
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

    wire [BITS-1:0] number;
    sc_sequence #(.WIDTH(SEQUENCE), .BITS(BITS), .ROWS(ROWS), .SHIFT(SHIFT)) u_sequence (
        .clk(clk), .clear(clear), .step(step), .number(number)
    );
    genvar i;
    generate
        for (i = 0; i < N_IN; i = i + 1) begin : g_input
            assign x[i] = number < values[i*BITS +: BITS];
        end
    endgenerate
endmodule
