// Bytes of SLIP frames (RFC 1055) as a stream that marks the last byte of a frame: C0 ends a frame, DB DC stands for
// a byte C0 and DB DD for a byte DB. A byte is offered when the next one, or the end, has come. One that was not read by then
// is lost, as is a byte after DB that is neither: the frame becomes too short.
module sc_slip (
    input wire clk,
    input wire rst,
    input wire in_valid,
    input wire [7:0] in_data,
    output reg out_valid,
    input wire out_ready,
    output reg [7:0] out_data,
    output reg out_last
);
    reg escaped;                             // after DB
    reg held_valid;
    reg [7:0] held;                          // the byte whose successor has not come
    wire ends = in_valid && in_data == 8'hc0;
    wire escapes = in_valid && !escaped && in_data == 8'hdb;
    wire known = !escaped || in_data == 8'hdc || in_data == 8'hdd;
    wire comes = in_valid && !ends && !escapes && known;

    always @(posedge clk)
        if (rst) begin
            escaped <= 1'b0;
            held_valid <= 1'b0;
            out_valid <= 1'b0;
        end else begin
            if (out_ready) out_valid <= 1'b0;
            if (in_valid) escaped <= escapes;
            if (comes || ends) begin
                held_valid <= comes;
                held <= !escaped ? in_data : in_data == 8'hdc ? 8'hc0 : 8'hdb;
                if (held_valid) begin
                    out_valid <= 1'b1;
                    out_data <= held;
                    out_last <= ends;
                end
            end
        end
endmodule
