// Sends bytes on a serial line, as sc_uart_rx receives them.
module sc_uart_tx #(
    parameter DIVISOR = 12,
    parameter COUNT = 4                      // bits of DIVISOR - 1
) (
    input wire clk,
    input wire rst,
    input wire valid,
    output wire ready,
    input wire [7:0] data,
    output wire tx
);
    localparam integer BIT = DIVISOR - 1;
    reg [8:0] rest;                          // start bit, then data; ones follow, as stop bit and pause
    reg [3:0] left;                          // bits to send
    reg [COUNT-1:0] pause;                   // clock cycles until the next one
    assign ready = left == 4'd0;
    assign tx = rest[0];

    always @(posedge clk)
        if (rst) begin
            rest <= 9'h1ff;
            left <= 4'd0;
        end else if (ready) begin
            pause <= BIT[COUNT-1:0];
            if (valid) begin
                rest <= {data, 1'b0};
                left <= 4'd10;
            end
        end else if (pause != {COUNT{1'b0}})
            pause <= pause - 1'b1;
        else begin
            pause <= BIT[COUNT-1:0];
            rest <= {1'b1, rest[8:1]};
            left <= left - 1'b1;
        end
endmodule
