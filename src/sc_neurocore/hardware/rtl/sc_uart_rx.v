// Receives bytes of a serial line, 8 bits without parity, the lowest bit first. A bit lasts DIVISOR clock cycles
// and is read in its middle. Bytes whose stop bit is low are dropped.
module sc_uart_rx #(
    parameter DIVISOR = 12,                  // at least 4
    parameter COUNT = 4                      // bits of DIVISOR - 1
) (
    input wire clk,
    input wire rst,
    input wire rx,
    output reg valid,                        // for one clock cycle
    output reg [7:0] data
);
    localparam integer BIT = DIVISOR - 1;
    localparam integer HALF = DIVISOR / 2 - 1;
    reg [1:0] line;                          // rx, synchronized to the clock
    reg [3:0] left;                          // bits to read, with start and stop; 0: idle
    reg [COUNT-1:0] pause;                   // clock cycles until the next one

    always @(posedge clk) begin
        line <= {line[0], rx};
        valid <= 1'b0;
        if (rst) begin
            left <= 4'd0;
            line <= 2'b11;
        end else if (left == 4'd0) begin
            pause <= HALF[COUNT-1:0];
            if (!line[1]) left <= 4'd10;
        end else if (pause != {COUNT{1'b0}})
            pause <= pause - 1'b1;
        else begin
            pause <= BIT[COUNT-1:0];
            left <= left == 4'd10 && line[1] ? 4'd0 : left - 1'b1;  // no start bit but a glitch
            if (left == 4'd1)
                valid <= line[1];
            else if (left != 4'd10)
                data <= {line[1], data[7:1]};
        end
    end
endmodule
