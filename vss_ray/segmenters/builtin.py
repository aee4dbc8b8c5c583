import torch
from vss_ray.networks.swiftnet import SwiftNet
from vss_ray.networks import mobilenet_v2, resnet
MEAN=(123.675, 116.28, 103.53); STD=(58.395, 57.12, 57.375)
def build_network(encoder, num_classes, width):
    e={"mobilenet_v2":mobilenet_v2,"resnet":resnet}[encoder].build()
    return SwiftNet(e,num_classes,width)
def normalize(x):
    x=x.permute(0,3,1,2).float()
    m=torch.tensor(MEAN,device=x.device)[None,:,None,None]; s=torch.tensor(STD,device=x.device)[None,:,None,None]
    return ((x-m)/s).contiguous(memory_format=torch.channels_last)
