// sc_axil beside its rules. All inputs are free.
module sc_axil_formal (
    input wire clk,
    input wire reset,
    input wire awvalid,
    input wire wvalid,
    input wire [3:0] wstrb,
    input wire bready,
    input wire arvalid,
    input wire rready,
    input wire write_error,
    input wire read_ready,
    input wire read_error,
    input wire [31:0] read_data
);
    reg first = 1'b1;
    always @(posedge clk) first <= 1'b0;
    wire rst = reset || first;
    wire awready, wready, bvalid, arready, rvalid, write, read;
    wire [1:0] bresp, rresp;
    wire [31:0] rdata;
    sc_axil u_axil (
        .clk(clk), .rst(rst), .awvalid(awvalid), .awready(awready), .wvalid(wvalid), .wready(wready),
        .wstrb(wstrb), .bvalid(bvalid), .bready(bready), .bresp(bresp), .arvalid(arvalid), .arready(arready),
        .rvalid(rvalid), .rready(rready), .rdata(rdata), .rresp(rresp), .write(write),
        .write_error(write_error), .read(read), .read_ready(read_ready), .read_error(read_error), .read_data(read_data)
    );
    sc_axil_rules u_rules (
        .clk(clk), .rst(rst), .awvalid(awvalid), .awready(awready), .wvalid(wvalid), .wready(wready),
        .wstrb(wstrb), .bvalid(bvalid), .bready(bready), .bresp(bresp), .arvalid(arvalid), .arready(arready),
        .rvalid(rvalid), .rready(rready), .rdata(rdata), .rresp(rresp), .write(write),
        .write_error(write_error), .read(read), .read_ready(read_ready), .read_error(read_error), .read_data(read_data)
    );
endmodule
