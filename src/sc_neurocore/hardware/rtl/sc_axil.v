// Channels of AXI4-Lite (ARM IHI 0022), as at most one write and one read per clock cycle. Address and data
// of a write are accepted together. A response follows its request by one clock cycle, and the next
// request is accepted after it; a read waits for read_ready. Writes of a part of a word have no effect, and are an error.
module sc_axil (
    input wire clk,
    input wire rst,
    input wire awvalid,
    output wire awready,
    input wire wvalid,
    output wire wready,
    input wire [3:0] wstrb,
    output wire bvalid,
    input wire bready,
    output wire [1:0] bresp,
    input wire arvalid,
    output wire arready,
    output wire rvalid,
    input wire rready,
    output reg [31:0] rdata,
    output wire [1:0] rresp,
    output wire write,                       // the word is written, unless there is an error
    input wire write_error,
    output wire read,
    input wire read_ready,
    input wire read_error,
    input wire [31:0] read_data
);
    reg written, failed, was_read, read_failed;
    wire accepted = awvalid && wvalid && !written && !rst;
    assign awready = accepted;
    assign wready = accepted;
    assign write = accepted && wstrb == 4'b1111;
    assign bvalid = written && !rst;
    assign bresp = {failed, 1'b0};           // OKAY or SLVERR
    assign read = arvalid && read_ready && !was_read && !rst;
    assign arready = read;
    assign rvalid = was_read && !rst;
    assign rresp = {read_failed, 1'b0};
    always @(posedge clk) begin
        if (rst) written <= 1'b0;
        else written <= written ? !bready : accepted;
        if (accepted) failed <= write_error || wstrb != 4'b1111;
        if (rst) was_read <= 1'b0;
        else was_read <= was_read ? !rready : read;
        if (read) begin
            read_failed <= read_error;
            rdata <= read_error ? 32'd0 : read_data;
        end
    end
endmodule
